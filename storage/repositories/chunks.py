"""Chunks that a partitioner writes again: tasks get other bytes, vanish, and are counted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from gridloom.states import Stage, TaskState
from storage.changes import note_tasks
from storage.repositories.tasks import may_become
from storage.tables import tasks


def reset(connection: Connection, job_id: str, rows: Sequence[dict[str, Any]]) -> None:
    """Give app tasks that have not failed other bytes: they start again, shutting out who runs them by their attempt.

    Each row: at_chunk, key, offset, size, sha256, etag.
    """
    if not rows:
        return
    statement = (
        update(tasks)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == Stage.APP,
            tasks.c.chunk == bindparam("at_chunk"),
            or_(may_become(TaskState.SCHEDULED), tasks.c.state == TaskState.SCHEDULED),
        )
        .values(
            state=TaskState.SCHEDULED,
            attempt=tasks.c.attempt + 1,
            worker_id=None,
            lease_until=None,
            hinted_at=None,
            not_before=None,
            results=None,
            spent=None,
            reuse=None,
            price=None,
            chunk_key=bindparam("key"),
            chunk_offset=bindparam("offset"),
            chunk_size=bindparam("size"),
            chunk_sha256=bindparam("sha256"),
            chunk_etag=bindparam("etag"),
        )
    )
    connection.execute(statement, list(rows))
    moved = connection.execute(
        select(tasks.c.chunk, tasks.c.attempt).where(
            tasks.c.job_id == job_id,
            tasks.c.stage == Stage.APP,
            tasks.c.state == TaskState.SCHEDULED,
            tasks.c.chunk.in_([row["at_chunk"] for row in rows]),
        )
    )
    note_tasks(connection, job_id, Stage.APP, TaskState.SCHEDULED, moved)


def drop_from(connection: Connection, job_id: str, first: int) -> tuple[int, int]:
    """Delete app tasks from chunk `first` on, which an earlier run of the partitioner had written.

    Returns how many of them were completed, and what those cost.
    """
    gone = connection.execute(
        delete(tasks)
        .where(tasks.c.job_id == job_id, tasks.c.stage == Stage.APP, tasks.c.chunk >= first)
        .returning(tasks.c.state, tasks.c.price)
    )
    prices = [row.price or 0 for row in gone if row.state == TaskState.COMPLETED]
    return len(prices), sum(prices)


def count(connection: Connection, job_id: str, *, below: int) -> int:
    """Count a job's app tasks whose chunk is below a number."""
    return connection.execute(
        select(func.count()).where(
            tasks.c.job_id == job_id, tasks.c.stage == Stage.APP, tasks.c.chunk < below
        )
    ).scalar_one()
