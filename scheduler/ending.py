"""Ends jobs early: by failure, by abort, by time."""

from sqlalchemy import Connection

from gridloom.states import EndReason, JobState
from storage.repositories import job_states, tasks, wallet


def fail(connection: Connection, job_id: str, reason: EndReason, message: str) -> bool:
    """Fail a live job and cancel what is open of it; False when it was not live."""
    return _end(connection, job_id, JobState.FAILED, reason, message)


def abort(connection: Connection, job_id: str) -> bool:
    """Abort a live job and cancel what is open of it; False when it was not live."""
    return _end(connection, job_id, JobState.ABORTED, EndReason.CANCELLED, "aborted by its owner")


def _end(connection: Connection, job_id: str, state: JobState, reason: EndReason, message: str) -> bool:
    if not job_states.end(connection, job_id, state, reason, message):
        return False
    tasks.cancel_open(connection, job_id)
    wallet.settle(connection, job_id)
    return True
