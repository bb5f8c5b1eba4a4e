"""Jobs as those see them who watch changes: whose they are, what they look like now, and which may have changed."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from gridloom.states import JOB_LIVE
from storage.columns import db_after
from storage.tables import jobs

_SHOWN = [column for column in jobs.c if column is not jobs.c.plan]
_LIVE = jobs.c.state.in_([state.value for state in JOB_LIVE])
_LONGEST_LIFE = timedelta(days=1)


def owners(connection: Connection, job_ids: Collection[str]) -> dict[str, str]:
    """Return the owner of each job."""
    found = connection.execute(select(jobs.c.id, jobs.c.owner_id).where(jobs.c.id.in_(job_ids)))
    return {row.id: row.owner_id for row in found}


def rows(connection: Connection, job_ids: Collection[str]) -> dict[str, Row[Any]]:
    """Return jobs by id, all columns but their plans, also those that were deleted."""
    found = connection.execute(select(*_SHOWN).where(jobs.c.id.in_(job_ids)))
    return {row.id: row for row in found}


def live(connection: Connection, owner_ids: Collection[str], limit: int) -> list[Row[Any]]:
    """Return running jobs of some owners, the newest first."""
    statement = select(*_SHOWN).where(_LIVE, jobs.c.owner_id.in_(owner_ids))
    return list(connection.execute(statement.order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)))


def recent(connection: Connection, owner_id: str, within_s: float, limit: int) -> list[Row[Any]]:
    """Return an owner's jobs, the newest first, that run, or were made or ended within the last `within_s`.

    One that was made more than a day before it ended is left out: finding it would mean to read all there are.
    """
    since = db_after(-within_s)
    statement = (
        select(*_SHOWN)
        .where(
            jobs.c.owner_id == owner_id,
            jobs.c.deleted_at.is_(None),
            jobs.c.created_at >= db_after(-_LONGEST_LIFE.total_seconds()),
            or_(_LIVE, jobs.c.created_at >= since, jobs.c.ended_at >= since),
        )
        .order_by(jobs.c.created_at.desc())
        .limit(limit)
    )
    found = [*live(connection, [owner_id], limit), *connection.execute(statement)]
    return list({row.id: row for row in found}.values())
