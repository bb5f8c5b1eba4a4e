"""Results that may stand for those of later tasks: found by their owner and their chunk's digest.

One row for each job and digest, so that a job of many equal chunks costs one; they go when the job's bytes do.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, String, and_, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gridloom.states import TASK_LEASED, Stage, TaskState
from storage.columns import AnyRow, Instant
from storage.tables import jobs, reusable_results, tasks

_LEASED = [state.value for state in TASK_LEASED]
_OF_JOB = and_(tasks.c.job_id == bindparam("of_job"), tasks.c.stage == Stage.APP)
_CHUNKS = tasks.c.chunk.in_(bindparam("chunks", expanding=True))

# Asked with every bundle: building a statement costs more than running it.
_DIGESTS = select(
    bindparam("of_owner", type_=String),
    tasks.c.chunk_sha256,
    bindparam("submitted_at", type_=Instant),
    tasks.c.job_id,
    tasks.c.chunk,
).where(_OF_JOB, _CHUNKS, tasks.c.chunk_sha256.is_not(None))
_COLUMNS = [column.name for column in reusable_results.c]
_NOTE = {
    "sqlite": sqlite.insert(reusable_results).from_select(_COLUMNS, _DIGESTS).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(reusable_results)
    .from_select(_COLUMNS, _DIGESTS)
    .on_conflict_do_nothing(),
}
_JOB = select(jobs.c.id, jobs.c.owner_id, jobs.c.plan).where(jobs.c.id == bindparam("of_job"))
_HELD = (
    select(tasks.c.chunk, tasks.c.chunk_sha256)
    .where(_OF_JOB, _CHUNKS, tasks.c.worker_id == bindparam("of_worker"), tasks.c.state.in_(_LEASED))
    .order_by(tasks.c.chunk)
)
_EARLIER = (
    select(reusable_results.c.job_id, reusable_results.c.chunk)
    .where(
        reusable_results.c.owner_id == bindparam("of_owner"),
        reusable_results.c.sha256 == bindparam("of_sha256"),
        reusable_results.c.job_id != bindparam("besides"),
    )
    .order_by(reusable_results.c.submitted_at.desc())
    .limit(bindparam("most"))
)
_APPS = select(
    jobs.c.id,
    jobs.c.plan["app"].label("app"),
    and_(jobs.c.purged_at.is_(None), jobs.c.deleted_at.is_(None)).label("kept"),
).where(jobs.c.id.in_(bindparam("job_ids", expanding=True)))
_DONE = select(
    tasks.c.job_id,
    tasks.c.chunk,
    tasks.c.chunk_sha256,
    tasks.c.started_at,
    tasks.c.ended_at,
    tasks.c.spent,
    tasks.c.reuse,
).where(_OF_JOB, _CHUNKS, tasks.c.state == TaskState.COMPLETED)
_FILES = select(tasks.c.chunk, tasks.c.results).where(_OF_JOB, _CHUNKS, tasks.c.state == TaskState.COMPLETED)


def note(connection: Connection, of_job: AnyRow, chunks: Collection[int]) -> None:
    """Note completed chunks of a job by their digest; of equal ones the first to be noted stays.

    `of_job` has id, owner_id and submitted_at.
    """
    values = {"of_job": of_job.id, "of_owner": of_job.owner_id, "submitted_at": of_job.submitted_at}
    connection.execute(_NOTE[connection.dialect.name], values | {"chunks": list(chunks)})


def job(connection: Connection, job_id: str) -> AnyRow | None:
    """Return (id, owner_id, plan) of a job, or None."""
    return connection.execute(_JOB, {"of_job": job_id}).first()


def held(connection: Connection, worker_id: str, job_id: str, chunks: Collection[int]) -> list[AnyRow]:
    """Return (chunk, chunk_sha256) of those of a job's app tasks that a worker holds, in chunk order."""
    values = {"of_job": job_id, "of_worker": worker_id, "chunks": list(chunks)}
    return list(connection.execute(_HELD, values))


def earlier(
    connection: Connection, owner_id: str, sha256s: Iterable[str], *, besides: str, most: int
) -> dict[str, list[AnyRow]]:
    """Return by digest (job_id, chunk) of up to `most` of an owner's other jobs, the one submitted last first."""
    fixed = {"of_owner": owner_id, "besides": besides, "most": most}
    return {it: list(connection.execute(_EARLIER, fixed | {"of_sha256": it})) for it in sha256s}


def apps(connection: Connection, job_ids: Collection[str]) -> dict[str, AnyRow]:
    """Return (id, app, kept) by job: the app as planned, as JSON, and whether the job's bytes are still there."""
    return {row.id: row for row in connection.execute(_APPS, {"job_ids": list(job_ids)})}


def completed(connection: Connection, places: Mapping[str, Collection[int]]) -> dict[tuple[str, int], AnyRow]:
    """Return by job and chunk those of the named app tasks that are completed: what they took and ran in."""
    found: dict[tuple[str, int], AnyRow] = {}
    for job_id, chunks in places.items():
        rows = connection.execute(_DONE, {"of_job": job_id, "chunks": list(chunks)})
        found |= {(row.job_id, row.chunk): row for row in rows}
    return found


def files(
    connection: Connection, places: Mapping[str, Collection[int]]
) -> dict[tuple[str, int], list[list[Any]]]:
    """Return by job and chunk the result files [name, size, key, offset] of completed app tasks."""
    found: dict[tuple[str, int], list[list[Any]]] = {}
    for job_id, chunks in places.items():
        rows = connection.execute(_FILES, {"of_job": job_id, "chunks": list(chunks)})
        found |= {(job_id, row.chunk): row.results for row in rows if row.results is not None}
    return found


def forget(connection: Connection, job_id: str, first: int, last: int) -> None:
    """Forget the results of a job's chunks in a range."""
    found = connection.execute(select(jobs.c.owner_id, jobs.c.submitted_at).where(jobs.c.id == job_id)).one()
    digests = select(tasks.c.chunk_sha256).where(
        tasks.c.job_id == job_id, tasks.c.stage == Stage.APP, tasks.c.chunk.between(first, last)
    )
    connection.execute(
        delete(reusable_results).where(
            reusable_results.c.owner_id == found.owner_id,
            reusable_results.c.sha256.in_(digests),
            reusable_results.c.submitted_at == found.submitted_at,
            reusable_results.c.job_id == job_id,
        )
    )
