"""Moves of a job's state: always a compare-and-set, always with the time of every state passed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection, and_, bindparam, delete, or_, select, update

from gridloom.plan import JobPlan
from gridloom.states import (
    JOB_FINAL,
    JOB_LIVE,
    JOB_ORDER,
    REDELIVERY,
    EndReason,
    JobState,
    job_path,
    job_sources_of,
)
from storage.changes import note_job
from storage.columns import AnyRow, db_after, db_now
from storage.tables import accounts, image_pins, jobs, outputs

# Asked with every bundle and at every wake-up: building a statement costs more than running it.
_OF_JOB = jobs.c.id == bindparam("job_id")
# Not the strongest lock: a row that refers to the job may be inserted meanwhile.
_FIND = select(jobs).where(_OF_JOB).with_for_update(key_share=True)
_LOCK = (
    select(
        jobs.c.id,
        jobs.c.owner_id,
        jobs.c.submitted_at,
        jobs.c.spent,
        jobs.c.plan["app"]["needs"].label("app_needs"),
    )
    .where(_OF_JOB)
    .with_for_update(key_share=True)
)
_STANDING = select(jobs.c.owner_id, jobs.c.state, jobs.c.end_reason, jobs.c.ended_at).where(_OF_JOB)
_NOW = select(db_now())
_LIVE_JOBS = (
    select(
        jobs.c.id,
        jobs.c.owner_id,
        jobs.c.state,
        jobs.c.priority,
        jobs.c.chunks,
        jobs.c.completed,
        jobs.c.busy_s,
        jobs.c.warning,
        accounts.c.weight,
    )
    .select_from(jobs.join(accounts, accounts.c.id == jobs.c.owner_id))
    .where(jobs.c.state.in_([state.value for state in JOB_LIVE]), jobs.c.started_at <= db_now())
    .order_by(jobs.c.priority.desc(), jobs.c.submitted_at, jobs.c.id)
)

_UNDONE = {JobState.DOWNLOADING, *JOB_FINAL}  #: what a job that is delivered again has not reached any more

log = structlog.get_logger()


def now(connection: Connection) -> datetime:
    """Return the database's time."""
    return connection.execute(_NOW).scalar_one()


def find(connection: Connection, job_id: str) -> AnyRow | None:
    """Return a job's row, locked for this transaction where the database can, or None.

    Whoever changes a job and its tasks in one transaction takes the job first, or two might wait for each other.
    """
    return connection.execute(_FIND, {"job_id": job_id}).first()


def standing(connection: Connection, job_id: str) -> AnyRow | None:
    """Return (owner_id, state, end_reason, ended_at) of a job, not locked, or None."""
    return connection.execute(_STANDING, {"job_id": job_id}).first()


def lock(connection: Connection, job_ids: Collection[str]) -> dict[str, AnyRow]:
    """Lock jobs for this transaction where the database can, in an order that all callers share.

    Returns (id, owner_id, submitted_at, spent, app_needs) of those that exist, by id.
    """
    rows = (connection.execute(_LOCK, {"job_id": job_id}).first() for job_id in sorted(job_ids))
    return {row.id: row for row in rows if row is not None}


def plan_of(row: AnyRow) -> JobPlan:
    """Return the plan that `run` froze into a job's row."""
    return JobPlan.model_validate(row.plan)


def advance(connection: Connection, job_id: str, target: JobState, **values: Any) -> bool:
    """Move a job ahead on its ordinary way, over as many states as lie between; False when it is not behind.

    `values` are further columns to set in the same statement.
    """
    row = find(connection, job_id)
    if row is None or JobState(row.state) not in JOB_ORDER:
        return False
    origin = JobState(row.state)
    if JOB_ORDER.index(target) <= JOB_ORDER.index(origin):
        return False
    return _move(connection, row, job_path(origin, target), values)


def end(
    connection: Connection, job_id: str, target: JobState, reason: EndReason, message: str, **values: Any
) -> bool:
    """End a live job as FAILED or ABORTED; False when it is not live. `values` are further columns to set."""
    row = find(connection, job_id)
    if row is None or JobState(row.state) not in job_sources_of(target):
        return False
    return _move(connection, row, (target,), {"end_reason": reason, "error_message": message} | values)


def take_up_again(connection: Connection, row: AnyRow, **values: Any) -> bool:
    """Move an ended job, a row that `find` returned, back to where its output was to be delivered; False when it has
    not ended. `values` are further columns to set."""
    state = JobState(row.state)
    if JobState.MERGED not in REDELIVERY.get(state, ()):
        return False
    times = {name: at for name, at in row.state_times.items() if name not in _UNDONE}
    empty = dict.fromkeys(("ended_at", "deadline_at", "end_reason"))
    fresh = empty | dict.fromkeys(("error_message", "warning", "trouble"), "")
    return _move(connection, row, (JobState.MERGED,), fresh | {"state_times": times} | values)


def _move(connection: Connection, row: AnyRow, path: tuple[JobState, ...], values: dict[str, Any]) -> bool:
    moment = now(connection)
    times = values.pop("state_times", row.state_times) | {it.value: moment.isoformat() for it in path}
    target = path[-1]
    if target in JOB_FINAL:
        values = {"ended_at": moment} | values
    if JobState.STARTED in path:
        values = {"submitted_at": moment, "started_at": moment} | values
    note_job(connection, row.id)
    done = connection.execute(
        update(jobs)
        .where(jobs.c.id == row.id, jobs.c.state == row.state)
        .values(state=target, state_times=times, **values)
    )
    return done.rowcount == 1


def add_counts(
    connection: Connection,
    job_id: str,
    *,
    chunks: int = 0,
    completed: int = 0,
    busy_s: float = 0.0,
    spent: dict[str, Any] | None = None,
    price: int = 0,
) -> None:
    """Add to a job's counters: all but the price serve display and bundle sizes only.

    `spent` are new sums altogether, made of those that `lock` returned. A task that completed ends the job's trouble.
    """
    note_job(connection, job_id)
    sums = {} if spent is None else {"spent": spent}
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(
            chunks=jobs.c.chunks + chunks,
            completed=jobs.c.completed + completed,
            busy_s=jobs.c.busy_s + busy_s,
            price=jobs.c.price + price,
            **({"trouble": ""} if completed > 0 else {}),
            **sums,
        )
    )


def set_warning(connection: Connection, job_id: str, warning: str) -> None:
    """Show a warning on a job; the empty text takes it away."""
    note_job(connection, job_id)
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(warning=warning))


def set_trouble(connection: Connection, job_id: str, trouble: str) -> None:
    """Show on a job, until its next task completes, why attempts at its tasks are tried again."""
    note_job(connection, job_id)
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(trouble=trouble))


def live_jobs(connection: Connection) -> list[AnyRow]:
    """Return what dispatch needs of every live job that was to start by now, but its plan: by priority, then by age."""
    return list(connection.execute(_LIVE_JOBS))


def plans(connection: Connection, job_ids: Sequence[str]) -> dict[str, JobPlan]:
    """Return the plans of jobs that were run, without those that this version can't read."""
    found = connection.execute(select(jobs.c.id, jobs.c.plan).where(jobs.c.id.in_(job_ids)))
    readable: dict[str, JobPlan] = {}
    for row in found:
        try:
            readable[row.id] = plan_of(row)
        except ValidationError as error:
            log.error("plan_unreadable", job=row.id, error=str(error))
    return readable


def overdue(connection: Connection) -> list[str]:
    """Return live jobs whose deadline has passed."""
    found = connection.execute(
        select(jobs.c.id).where(
            jobs.c.state.in_([state.value for state in JOB_LIVE]), jobs.c.deadline_at <= db_now()
        )
    )
    return [row.id for row in found]


def purgeable(connection: Connection, after_s: float, limit: int) -> list[AnyRow]:
    """Return ended jobs whose bytes may go: their output expired, they ended badly that long ago, or were deleted."""
    ended = jobs.c.state.in_([state.value for state in JOB_FINAL])
    old = or_(jobs.c.output_expires_at <= db_now(), jobs.c.ended_at <= db_after(-after_s))
    fresh = jobs.c.purged_at.is_(None)
    # A job that was purged for its age keeps its log until it is deleted.
    deleted = and_(
        jobs.c.deleted_at.is_not(None),
        or_(fresh, jobs.c.purged_at < jobs.c.deleted_at),
        or_(ended, jobs.c.state == JobState.NEW),
    )
    found = connection.execute(
        select(jobs.c.id, jobs.c.deleted_at, jobs.c.chunks)
        .where(or_(and_(fresh, ended, old), deleted))
        .order_by(jobs.c.ended_at)
        .limit(limit)
    )
    return list(found.all())


def mark_purged(connection: Connection, job_id: str) -> None:
    """Note that a job's bytes are gone, and forget where they were and which images it ran."""
    connection.execute(delete(outputs).where(outputs.c.job_id == job_id))
    connection.execute(delete(image_pins).where(image_pins.c.job_id == job_id))
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(purged_at=db_now()))
