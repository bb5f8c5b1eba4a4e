"""What jobs have cost, for estimates of what the next will."""

from sqlalchemy import Connection, select

from gridloom.devices import Needs
from gridloom.states import JobState
from storage.columns import AnyRow
from storage.tables import jobs

_LOOKED_AT = 200


def completed(connection: Connection, owner_id: str) -> list[AnyRow]:
    """Return (app_tag, partitioner_tag, template_id, template_info, total, completed, price) of an owner's completed
    jobs among the newest `_LOOKED_AT`, the newest first."""
    newest = (
        select(jobs.c.id)
        .where(jobs.c.owner_id == owner_id, jobs.c.deleted_at.is_(None))
        .order_by(jobs.c.created_at.desc())
        .limit(_LOOKED_AT)
        .scalar_subquery()
    )
    columns = (
        jobs.c.app_tag,
        jobs.c.partitioner_tag,
        jobs.c.template_id,
        jobs.c.template_info,
        jobs.c.total,
        jobs.c.completed,
        jobs.c.price,
    )
    found = connection.execute(
        select(*columns)
        .where(jobs.c.id.in_(newest), jobs.c.state == JobState.COMPLETE)
        .order_by(jobs.c.created_at.desc())
    )
    return list(found)


def app_needs(connection: Connection, job_id: str) -> Needs | None:
    """Return what a task of a job that was run asks for, None of a draft."""
    needs = connection.execute(select(jobs.c.plan["app"]["needs"]).where(jobs.c.id == job_id)).scalar()
    return None if needs is None else Needs.model_validate(needs)
