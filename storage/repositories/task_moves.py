"""Which tasks a move of many concerns: asked ahead of it, where the statement itself can't tell."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from gridloom.states import Stage, TaskState, task_sources_of
from storage.changes import note_tasks
from storage.tables import tasks

_CANCELLED_NOTED = 1000


def received(
    connection: Connection, job_id: str, stage: Stage, asked: Collection[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return those of the (chunk, attempt) pairs that a worker has received and not started yet."""
    if not asked:
        return []
    found = connection.execute(
        select(tasks.c.chunk, tasks.c.attempt).where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tasks.c.state == TaskState.RECEIVED,
            tasks.c.chunk.in_([chunk for chunk, _ in asked]),
        )
    )
    return [pair for chunk, attempt in found if (pair := (chunk, attempt)) in asked]


def note_cancelled(connection: Connection, job_id: str) -> None:
    """Note that a job's open tasks are cancelled; of many only the first, the job's own end tells of the others."""
    states = [state.value for state in sorted(task_sources_of(TaskState.CANCELLED))]
    for stage in Stage:
        found = connection.execute(
            select(tasks.c.chunk, tasks.c.attempt)
            .where(tasks.c.job_id == job_id, tasks.c.stage == stage, tasks.c.state.in_(states))
            .order_by(tasks.c.chunk)
            .limit(_CANCELLED_NOTED)
        )
        note_tasks(connection, job_id, stage, TaskState.CANCELLED, found)
