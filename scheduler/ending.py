"""Ends jobs: in completion, or early by failure, by abort, by time."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gridloom.settings import Settings
from gridloom.states import EndReason, JobState
from storage.columns import AnyRow
from storage.descriptors import S3_KINDS
from storage.repositories import job_states, tasks, wallet


def complete(connection: Connection, job_id: str, settings: Settings, **values: Any) -> None:
    """Complete a live job and pay for it; `values` are further columns to set.

    Its output is kept from now on for as long as the temporary bucket keeps things, also when it lies elsewhere too.
    """
    kept = {"output_expires_at": kept_until(connection, settings), "warning": "", "trouble": ""}
    if job_states.advance(connection, job_id, JobState.COMPLETE, **kept | values):
        wallet.settle(connection, job_id)


def fail(connection: Connection, job_id: str, reason: EndReason, message: str, settings: Settings) -> bool:
    """Fail a live job and cancel what is open of it; False when it was not live.

    Of a job that only had to be delivered the message tells how to have that done all the same.
    """
    return _end(connection, job_id, JobState.FAILED, reason, message, settings)


def abort(connection: Connection, job_id: str, settings: Settings) -> bool:
    """Abort a live job and cancel what is open of it; False when it was not live."""
    return _end(connection, job_id, JobState.ABORTED, EndReason.CANCELLED, "aborted by its owner", settings)


def kept_until(connection: Connection, settings: Settings) -> datetime:
    """Return until when the output of a job that ends now is kept."""
    return job_states.now(connection) + timedelta(hours=settings.bucket_hours)


def _end(
    connection: Connection, job_id: str, state: JobState, reason: EndReason, message: str, settings: Settings
) -> bool:
    values: dict[str, Any] = {}
    row = job_states.find(connection, job_id)
    if row is not None and _awaits_delivery(row):
        until = values["output_expires_at"] = kept_until(connection, settings)
        again = f"the results are kept until {until:%Y-%m-%d %H:%M} UTC: "
        again += "fix it and run" if state is JobState.FAILED else "to deliver them run"
        message = f"{message}; {again} `gridloom job redeliver {job_id}`"
    if not job_states.end(connection, job_id, state, reason, message, **values):
        return False
    tasks.cancel_open(connection, job_id)
    wallet.settle(connection, job_id)
    return True


def _awaits_delivery(row: AnyRow) -> bool:
    return row.output_epoch is not None and job_states.plan_of(row).destination in S3_KINDS
