"""Queries behind dispatch: what may be handed out next, and what was handed out and not claimed."""

from collections.abc import Sequence

from sqlalchemy import Connection, case, func, or_, select, update

from gridloom.states import JOB_LIVE, Stage, TaskState, task_sources_of
from storage.columns import AnyRow, db_after, db_now
from storage.tables import jobs, tasks

_IN_FLIGHT = (TaskState.ASSIGNED, TaskState.RECEIVED, TaskState.RUNNING)


def next_chunks(connection: Connection, job_id: str, stage: Stage, limit: int) -> list[AnyRow]:
    """Return (chunk, infra_failures) of tasks that may be handed out now, in chunk order."""
    found = connection.execute(
        select(tasks.c.chunk, tasks.c.infra_failures)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tasks.c.state == TaskState.SCHEDULED,
            or_(tasks.c.not_before.is_(None), tasks.c.not_before <= db_now()),
        )
        .order_by(tasks.c.chunk)
        .limit(limit)
    )
    return list(found.all())


def mark_assigned(connection: Connection, job_id: str, stage: Stage, chunks: Sequence[int]) -> set[int]:
    """Mark waiting tasks as handed out; return those that were."""
    done = connection.execute(
        update(tasks)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tasks.c.chunk.in_(chunks),
            tasks.c.state.in_(sorted(task_sources_of(TaskState.ASSIGNED))),
        )
        .values(state=TaskState.ASSIGNED, hinted_at=db_now())
        .returning(tasks.c.chunk)
    )
    return {row.chunk for row in done}


def take_back(
    connection: Connection,
    job_id: str,
    stage: Stage,
    *,
    older_than_s: float,
    chunks: Sequence[int] | None = None,
) -> int:
    """Return unclaimed tasks of a stage to Scheduled when their hint is older than `older_than_s`."""
    assigned = [tasks.c.job_id == job_id, tasks.c.stage == stage, tasks.c.state == TaskState.ASSIGNED]
    where = [
        *assigned,
        # Few of a large job's tasks are handed out; without this SQLite reads them all.
        tasks.c.chunk.in_(select(tasks.c.chunk).where(*assigned)),
        tasks.c.hinted_at <= db_after(-older_than_s),
    ]
    if chunks is not None:
        where.append(tasks.c.chunk.in_(chunks))
    done = connection.execute(update(tasks).where(*where).values(state=TaskState.SCHEDULED, hinted_at=None))
    return done.rowcount


def in_flight(connection: Connection) -> list[AnyRow]:
    """Return (job_id, stage, assigned, total) of every live job that has tasks handed out."""
    assigned = func.sum(case((tasks.c.state == TaskState.ASSIGNED, 1), else_=0))
    found = connection.execute(
        select(tasks.c.job_id, tasks.c.stage, assigned.label("assigned"), func.count().label("total"))
        .select_from(jobs.join(tasks, tasks.c.job_id == jobs.c.id))
        .where(
            jobs.c.state.in_([state.value for state in JOB_LIVE]),
            tasks.c.stage.in_([stage.value for stage in Stage]),
            tasks.c.state.in_([state.value for state in _IN_FLIGHT]),
        )
        .group_by(tasks.c.job_id, tasks.c.stage)
    )
    return list(found.all())
