"""Jobs as their owners see and edit them; a job that is someone else's is as absent as one that never was."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from gridloom.errors import BadState, NotFound
from gridloom.ids import is_uuid
from gridloom.states import JOB_LIVE, JobState
from storage.changes import note_deleted, note_job
from storage.columns import db_now
from storage.repositories import inline_credentials
from storage.repositories.inline_credentials import Holder
from storage.tables import jobs

# A plan is long, and nobody who looks at a job needs it.
SHOWN = [column for column in jobs.c if column is not jobs.c.plan]
# Built once: that costs more than running them.
_VISIBLE = select(*SHOWN).where(jobs.c.deleted_at.is_(None), jobs.c.id == bindparam("job_id"))
_OF_OWNER = _VISIBLE.where(jobs.c.owner_id == bindparam("owner_id"))


def create(connection: Connection, values: Mapping[str, Any]) -> None:
    """Insert a draft; `values` are the columns that have no default but the state and the time."""
    moment = connection.execute(select(db_now())).scalar_one()
    times = {JobState.NEW.value: moment.isoformat()}
    note_job(connection, values["id"])
    connection.execute(
        insert(jobs).values(state=JobState.NEW, state_times=times, created_at=moment, **values)
    )


def get(connection: Connection, owner_id: str, job_id: str) -> Row[Any]:
    """Return a job, all columns but its plan.

    Raises:
        NotFound: when the owner has no such job.
    """
    return _one(connection, _OF_OWNER, job_id, owner_id=owner_id)


def linked(connection: Connection, job_id: str) -> Row[Any]:
    """Return a job that a signed link names, whoever follows it.

    Raises:
        NotFound: when it is gone.
    """
    return _one(connection, _VISIBLE, job_id)


def draft(connection: Connection, job_id: str, *, owner_id: str | None = None) -> Row[Any]:
    """Return a job that may still be changed, locked for this transaction where the database can.

    Raises:
        NotFound: when there is no such job, or it is not the owner's.
        BadState: when it was run already.
    """
    owner = {} if owner_id is None else {"owner_id": owner_id}
    statement = _OF_OWNER if owner else _VISIBLE
    row = _one(connection, statement.with_for_update(), job_id, **owner)
    if row.state != JobState.NEW:
        raise BadState(f"job {job_id} is {row.state}; only a job in {JobState.NEW} may be changed or run")
    return row


def change(connection: Connection, job_id: str, **values: Any) -> None:
    """Set columns of a draft.

    Raises:
        BadState: when it is no draft any more.
    """
    changed = connection.execute(
        update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.NEW).values(**values)
    )
    if not changed.rowcount:
        raise BadState(f"job {job_id} was run or deleted meanwhile")
    note_job(connection, job_id)


def remove(connection: Connection, owner_id: str, job_id: str) -> None:
    """Hide a job that does not run, and delete the credentials that it holds.

    Raises:
        NotFound: when the owner has no such job.
        BadState: when it runs.
    """
    row = get(connection, owner_id, job_id)
    removed = connection.execute(
        update(jobs).where(jobs.c.id == row.id, jobs.c.state.not_in(JOB_LIVE)).values(deleted_at=db_now())
    )
    if not removed.rowcount:
        raise BadState(f"job {job_id} is {row.state} and has to be aborted first")
    inline_credentials.forget(connection, holder_of(owner_id, row.id))
    note_deleted(connection, row.id)


def holder_of(owner_id: str, job_id: str) -> Holder:
    """Return what the secrets of a job's ends are kept under."""
    return Holder(owner_id=owner_id, kind="job", id=job_id)


def count(connection: Connection, owner_id: str) -> int:
    """Count an owner's jobs."""
    statement = select(func.count()).where(jobs.c.owner_id == owner_id, jobs.c.deleted_at.is_(None))
    return connection.execute(statement).scalar_one()


def by_state(connection: Connection) -> dict[str, int]:
    """Count everybody's jobs by state."""
    number = func.count().label("number")
    statement = select(jobs.c.state, number).where(jobs.c.deleted_at.is_(None)).group_by(jobs.c.state)
    return {row.state: row.number for row in connection.execute(statement)}


def count_live(connection: Connection, owner_id: str) -> int:
    """Count an owner's jobs that run."""
    live = [state.value for state in JOB_LIVE]
    statement = select(func.count()).where(
        jobs.c.owner_id == owner_id, jobs.c.deleted_at.is_(None), jobs.c.state.in_(live)
    )
    return connection.execute(statement).scalar_one()


def owned(connection: Connection, owner_id: str, job_ids: Collection[str]) -> list[str]:
    """Return those of the ids that are jobs of the owner."""
    statement = select(jobs.c.id).where(
        jobs.c.owner_id == owner_id, jobs.c.deleted_at.is_(None), jobs.c.id.in_(job_ids)
    )
    return list(connection.execute(statement).scalars())


def _one(connection: Connection, statement: Select[Any], job_id: str, **owner: str) -> Row[Any]:
    row = connection.execute(statement, {"job_id": job_id, **owner}).first() if is_uuid(job_id) else None
    if row is None:
        raise NotFound(f"there is no job {job_id[:64]!a}")
    return row
