"""The task that delivers a job's output: made, and made again."""

from sqlalchemy import Connection, delete, select

from gridloom.states import Stage
from storage.repositories.tasks import insert_new, keep_attempt
from storage.tables import tasks

_HOW_IT_ENDED = ("ended_at", "reason", "exit_code", "message", "spent")


def begin(connection: Connection, job_id: str) -> None:
    """Make the task, in place of one that has ended: its attempts go on counting from there, so that no earlier one
    can end this one, and the last of them becomes history."""
    mine = (tasks.c.job_id == job_id, tasks.c.stage == Stage.DELIVER)
    before = connection.execute(select(tasks).where(*mine)).first()
    fresh = {"job_id": job_id, "stage": Stage.DELIVER, "chunk": 0}
    if before is not None:
        fresh["attempt"] = before.attempt
        if before.attempt:
            keep_attempt(connection, before, {name: getattr(before, name) for name in _HOW_IT_ENDED})
        connection.execute(delete(tasks).where(*mine))
    insert_new(connection, [fresh])
