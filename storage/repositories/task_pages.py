"""Tasks as their owner sees them: pages, single ones, and how many run."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from gridloom.states import TASK_LEASED, Stage
from storage.tables import tasks

# What nobody is shown costs more to read than the rest of the row: results are JSON.
_HIDDEN = {"results", "chunk_key", "chunk_offset", "chunk_size", "chunk_sha256", "lease_until", "not_before"}
_SHOWN = [column for column in tasks.c if column.name not in _HIDDEN]

ORDERS = {
    "chunk_number": tasks.c.chunk,
    "state": tasks.c.state,
    "started_at": tasks.c.started_at,
    "completed_at": tasks.c.ended_at,
}


def page(
    connection: Connection, job_id: str, *, order: str, descending: bool, limit: int, offset: int
) -> list[Row[Any]]:
    """Return one page of a job's app tasks; `order` is a key of `ORDERS`."""
    sort = dict.fromkeys((ORDERS[order], tasks.c.chunk))
    statement = select(*_SHOWN).where(tasks.c.job_id == job_id, tasks.c.stage == Stage.APP)
    statement = statement.order_by(*(column.desc() if descending else column.asc() for column in sort))
    if (
        order == "chunk_number" and not descending
    ):  # chunks have no gaps, so a page deep in a large job is found at once
        statement, offset = statement.where(tasks.c.chunk >= offset), 0
    return list(connection.execute(statement.limit(limit).offset(offset)))


def find(connection: Connection, job_id: str, stage: Stage, chunk: int) -> Row[Any] | None:
    """Return one task, or None."""
    statement = select(*_SHOWN).where(
        tasks.c.job_id == job_id, tasks.c.stage == stage, tasks.c.chunk == chunk
    )
    return connection.execute(statement).first()


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
