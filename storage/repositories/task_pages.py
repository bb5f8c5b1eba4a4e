"""Tasks as their owner sees them: pages, single ones with their attempts, and how many run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from gridloom.errors import BadInput
from gridloom.states import TASK_LEASED, Stage, TaskState
from storage.spans import Span
from storage.tables import attempts, tasks

# What nobody is shown costs more to read than the rest of the row: results are JSON.
_HIDDEN = {"results", "lease_until", "not_before"}
_SHOWN = [it for it in tasks.c if it.name not in _HIDDEN and not it.name.startswith("chunk_")]

ORDERS = {
    "chunk_number": tasks.c.chunk,
    "state": tasks.c.state,
    "started_at": tasks.c.started_at,
    "completed_at": tasks.c.ended_at,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which of a job's app tasks to list; None means any."""

    state: TaskState | None = None
    chunk: int | None = None


ALL = Wanted()


def page(connection: Connection, job_id: str, span: Span, wanted: Wanted = ALL) -> list[Row[Any]]:
    """Return one page of a job's app tasks, in chunk order where nothing else is asked for.

    Raises:
        BadInput: when the order is none of those offered.
    """
    name = span.order_by or "chunk_number"
    if name not in ORDERS:
        raise BadInput(f"can't order by {name}; use {', '.join(ORDERS)}", field="orderBy")
    descending, offset = span.descending and bool(span.order_by), span.offset
    sort = dict.fromkeys((ORDERS[name], tasks.c.chunk))
    statement = _among(select(*_SHOWN), job_id, wanted).order_by(
        *((column.desc() if descending else column.asc()).nulls_last() for column in sort)
    )
    if name == "chunk_number" and not descending and wanted == ALL:
        # Chunks have no gaps, so a page deep in a large job is found at once.
        statement, offset = statement.where(tasks.c.chunk >= offset), 0
    return list(connection.execute(statement.limit(span.limit).offset(offset)))


def count(connection: Connection, job_id: str, wanted: Wanted) -> int:
    """Count a job's app tasks that are wanted."""
    found: int = connection.execute(_among(select(func.count()), job_id, wanted)).scalar_one()
    return found


def _among(statement: Select[Any], job_id: str, wanted: Wanted) -> Select[Any]:
    statement = statement.where(tasks.c.job_id == job_id, tasks.c.stage == Stage.APP)
    if wanted.state is not None:
        statement = statement.where(tasks.c.state == wanted.state)
    return statement if wanted.chunk is None else statement.where(tasks.c.chunk == wanted.chunk)


def find(connection: Connection, job_id: str, stage: Stage, chunk: int) -> Row[Any] | None:
    """Return one task, or None."""
    statement = select(*_SHOWN).where(
        tasks.c.job_id == job_id, tasks.c.stage == stage, tasks.c.chunk == chunk
    )
    return connection.execute(statement).first()


def earlier(connection: Connection, job_id: str, stage: Stage, chunk: int) -> list[Row[Any]]:
    """Return a task's attempts that were tried again, the first one first; the last is the task's own row."""
    mine = (attempts.c.job_id == job_id, attempts.c.stage == stage, attempts.c.chunk == chunk)
    return list(connection.execute(select(attempts).where(*mine).order_by(attempts.c.attempt)))


def running(connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    """Count the leased tasks of each job; jobs without any are left out."""
    statement = (
        select(tasks.c.job_id, func.count().label("running"))
        .where(
            tasks.c.job_id.in_(job_ids),
            tasks.c.stage.in_([stage.value for stage in Stage]),
            tasks.c.state.in_([state.value for state in TASK_LEASED]),
        )
        .group_by(tasks.c.job_id)
    )
    return {row.job_id: row.running for row in connection.execute(statement)}
