"""Delivers the output of an ended job again, as long as the fabric still keeps it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from gridloom.errors import BadInput, BadState, NotFound
from gridloom.plan import JobPlan
from gridloom.settings import Settings
from gridloom.states import JOB_FINAL
from scheduler import ending
from storage.columns import AnyRow
from storage.descriptors import S3_KINDS
from storage.repositories import deliveries, job_states

_MARGIN = timedelta(minutes=1)  # so that no sweep begins meanwhile
_WHERE = "dataDestination.dataSourceDescriptor"


def redeliver(
    connection: Connection, job_id: str, destination: Mapping[str, Any] | None, settings: Settings
) -> None:
    """Have an ended job's output delivered again, to its own destination or to another one, whose form is that of the
    job's column. The scheduler must be woken afterwards.

    Raises:
        NotFound: when there is no such job.
        BadInput: when the new destination is no bucket of the user's.
        BadState: when the job has not ended, or has no output any more, or none that is delivered.
    """
    row = job_states.find(connection, job_id)
    if row is None or row.deleted_at is not None:
        raise NotFound(f"there is no job {job_id[:64]!a}")
    _check_kept(connection, row)
    plan = _to(job_states.plan_of(row), destination)
    if plan.destination not in S3_KINDS:
        raise BadState(
            f"job {job_id} delivers to {plan.destination!r}, where nothing is moved to; name another destination"
        )
    values: dict[str, Any] = {
        "plan": plan.model_dump(mode="json"),
        "output_expires_at": ending.kept_until(connection, settings),
    }
    if destination is not None:
        values["data_destination"] = dict(destination)
    job_states.take_up_again(connection, row, **values)
    deliveries.begin(connection, job_id)


def _check_kept(connection: Connection, row: AnyRow) -> None:
    if row.state not in JOB_FINAL:
        raise BadState(f"job {row.id} is {row.state}; only a job that has ended can be delivered again")
    if row.output_epoch is None or job_states.plan_of(row).destination == "bypass":
        raise BadState(f"job {row.id} is {row.state} and has no output to deliver")
    until = row.output_expires_at
    if row.purged_at is not None or until is None or until - _MARGIN <= job_states.now(connection):
        kept = f"was kept until {until:%Y-%m-%d %H:%M} UTC" if until else "is no longer kept"
        raise BadState(f"the output of job {row.id} {kept}; run the job again")


def _to(plan: JobPlan, destination: Mapping[str, Any] | None) -> JobPlan:
    if destination is None:
        return plan
    descriptor = destination["dataSourceDescriptor"]
    if descriptor not in S3_KINDS:
        raise BadInput(
            f"output is delivered again to {', '.join(sorted(S3_KINDS))} only, not to {descriptor!r}",
            field=_WHERE,
        )
    return plan.model_copy(
        update={"destination": descriptor, "destination_params": dict(destination["params"])}
    )
