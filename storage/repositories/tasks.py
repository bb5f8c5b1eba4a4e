"""Rows of tasks as workers see them: claimed, renewed, released, ended. Each move is a compare-and-set."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from gridloom.states import JOB_LIVE, TASK_LEASED, EndReason, Stage, TaskState, task_sources_of
from storage.changes import note_tasks
from storage.columns import AnyRow, db_after, db_now
from storage.repositories.task_moves import note_cancelled, received
from storage.tables import attempts, jobs, tasks

_LEASED = [state.value for state in TASK_LEASED]


def may_become(target: TaskState) -> ColumnElement[bool]:
    """Return the condition that a task may move to `target`.

    Without IN, which can't run for many rows at once.
    """
    return or_(*(tasks.c.state == state for state in sorted(task_sources_of(target))))


# Worded exactly like the condition of the partial index on leases: else SQLite would read every task there is.
LEASED_AS_TEXT: BindParameter[list[str]] = bindparam(
    "leased", sorted(_LEASED), expanding=True, literal_execute=True
)

_OF_JOB = tasks.c.job_id == bindparam("of_job")
_OF_STAGE = and_(_OF_JOB, tasks.c.stage == bindparam("of_stage"))
# Asked with every bundle and at every wake-up: building a statement costs more than running it. Without the columns
# that only readers want.
_LOCKED = (
    select(
        *(
            it
            for it in tasks.c
            if it.name not in {"results", "message", "cpu_s", "peak_memory_mib", "spent", "reuse"}
        ),
        db_now().label("read_at"),
    )
    .where(_OF_STAGE, tasks.c.chunk.in_(bindparam("chunks", expanding=True)))
    .order_by(tasks.c.chunk)
    .with_for_update()
)
_UNFINISHED = (
    select(tasks.c.chunk)
    .where(_OF_STAGE, tasks.c.state.in_([it.value for it in TaskState if it is not TaskState.COMPLETED]))
    .limit(1)
)
# The index tells alone which task that is; asked for the whole row at once, SQLite reads all the job's tasks.
_FAILED = (
    select(tasks.c.stage, tasks.c.chunk)
    .where(_OF_JOB, tasks.c.stage.in_([it.value for it in Stage]), tasks.c.state == TaskState.FAILED)
    .limit(1)
)
_COMPLETE = (
    update(tasks)
    .where(
        _OF_STAGE,
        tasks.c.chunk == bindparam("at_chunk"),
        tasks.c.attempt == bindparam("at_attempt"),
        may_become(TaskState.COMPLETED),
    )
    .values(
        state=TaskState.COMPLETED,
        lease_until=None,
        not_before=None,
        reason=None,
        message=None,
        started_at=bindparam("started_at"),
        ended_at=bindparam("ended_at"),
        cpu_s=bindparam("cpu_s"),
        peak_memory_mib=bindparam("peak_memory_mib"),
        spent=bindparam("spent"),
        results=bindparam("results"),
        exit_code=bindparam("exit_code"),
        price=bindparam("price"),
        reuse=bindparam("reuse"),
    )
)


def insert_new(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert tasks in state Scheduled; each row names job_id, stage, chunk and, for the app stage, its bytes."""
    if rows:
        blank = dict.fromkeys(("chunk_key", "chunk_offset", "chunk_size", "chunk_sha256", "chunk_etag"))
        moment = connection.execute(select(db_now())).scalar_one()
        fixed = blank | {"state": TaskState.SCHEDULED, "created_at": moment}
        connection.execute(insert(tasks), [fixed | row for row in rows])


def claim(
    connection: Connection, worker_id: str, job_id: str, stage: Stage, chunks: Sequence[int], lease_s: float
) -> list[AnyRow]:
    """Lease the waiting tasks among `chunks` to a worker and raise their attempt numbers.

    Returns the rows won in chunk order: chunk, attempt, chunk_key, chunk_offset, chunk_size, chunk_etag.
    """
    live = exists().where(jobs.c.id == job_id, jobs.c.state.in_([state.value for state in JOB_LIVE]))
    found = connection.execute(
        update(tasks)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tasks.c.chunk.in_(chunks),
            may_become(TaskState.RECEIVED),
            or_(tasks.c.not_before.is_(None), tasks.c.not_before <= db_now()),
            live,
        )
        .values(
            state=TaskState.RECEIVED,
            attempt=tasks.c.attempt + 1,
            worker_id=worker_id,
            lease_until=db_after(lease_s),
            received_at=db_now(),
            started_at=None,
            ended_at=None,
            reason=None,
            message=None,
            exit_code=None,
            spent=None,
            reuse=None,
        )
        .returning(
            tasks.c.chunk,
            tasks.c.attempt,
            tasks.c.chunk_key,
            tasks.c.chunk_offset,
            tasks.c.chunk_size,
            tasks.c.chunk_etag,
        )
    )
    won = sorted(found, key=lambda row: row.chunk)
    note_tasks(connection, job_id, stage, TaskState.RECEIVED, (row[:2] for row in won))
    return won


def renew(
    connection: Connection,
    worker_id: str,
    job_id: str,
    stage: Stage,
    held: Sequence[tuple[int, int]],
    lease_s: float,
) -> set[tuple[int, int]]:
    """Renew leases of one job's stage; return the (chunk, attempt) pairs that the worker still holds."""
    kept = connection.execute(
        update(tasks)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tuple_(tasks.c.chunk, tasks.c.attempt).in_(held),
            tasks.c.worker_id == worker_id,
            tasks.c.state.in_(_LEASED),
        )
        .values(lease_until=db_after(lease_s))
        .returning(tasks.c.chunk, tasks.c.attempt)
    )
    return {(row.chunk, row.attempt) for row in kept}


def mark_running(
    connection: Connection,
    worker_id: str,
    job_id: str,
    stage: Stage,
    started: dict[tuple[int, int], datetime],
) -> None:
    """Move received tasks to Running, with the time at which their process started."""
    fresh = received(connection, job_id, stage, started)
    if not fresh:
        return
    statement = (
        update(tasks)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tasks.c.chunk == bindparam("at_chunk"),
            tasks.c.attempt == bindparam("at_attempt"),
            tasks.c.worker_id == worker_id,
            may_become(TaskState.RUNNING),
        )
        .values(state=TaskState.RUNNING, started_at=bindparam("at"))
    )
    connection.execute(
        statement,
        [
            {"at_chunk": chunk, "at_attempt": attempt, "at": started[chunk, attempt]}
            for chunk, attempt in fresh
        ],
    )
    note_tasks(connection, job_id, stage, TaskState.RUNNING, fresh)


def holds(
    connection: Connection, worker_id: str, job_id: str, stage: Stage, chunk: int, attempt: int
) -> bool:
    """Tell whether a worker holds a task under this attempt number."""
    found = connection.execute(
        select(tasks.c.chunk)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tasks.c.chunk == chunk,
            tasks.c.attempt == attempt,
            tasks.c.worker_id == worker_id,
            tasks.c.state.in_(_LEASED),
        )
        .with_for_update()
    )
    return found.first() is not None


def worked_on(
    connection: Connection, worker_id: str, job_id: str, stage: Stage, first_chunk: int, last_chunk: int
) -> bool:
    """Tell whether a worker was the last to claim any task of a range of chunks."""
    found = connection.execute(
        select(tasks.c.chunk)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tasks.c.chunk.between(first_chunk, last_chunk),
            tasks.c.worker_id == worker_id,
        )
        .limit(1)
    )
    return found.first() is not None


def locked(connection: Connection, job_id: str, stage: Stage, chunks: Iterable[int]) -> dict[int, AnyRow]:
    """Return tasks by chunk, locked for this transaction where the database can; without what only readers want, and
    with the database's time as `read_at`."""
    found = connection.execute(_LOCKED, {"of_job": job_id, "of_stage": stage, "chunks": list(chunks)})
    return {row.chunk: row for row in found}


def complete(connection: Connection, job_id: str, stage: Stage, rows: Sequence[dict[str, Any]]) -> None:
    """Complete tasks that `locked` showed to be held.

    Each row: at_chunk, at_attempt, started_at, ended_at, cpu_s, peak_memory_mib, spent, results, exit_code, price,
    reuse.
    """
    if rows:
        place = {"of_job": job_id, "of_stage": stage}
        connection.execute(_COMPLETE, [place | row for row in rows])
        done = ((row["at_chunk"], row["at_attempt"]) for row in rows)
        note_tasks(connection, job_id, stage, TaskState.COMPLETED, done)


def end_attempt(connection: Connection, task: AnyRow, **values: Any) -> bool:
    """Move a task on after a failed attempt: back to Scheduled (the attempt is kept as history) or to Failed."""
    moved = connection.execute(
        update(tasks)
        .where(
            tasks.c.job_id == task.job_id,
            tasks.c.stage == task.stage,
            tasks.c.chunk == task.chunk,
            tasks.c.attempt == task.attempt,
            tasks.c.state == task.state,
            may_become(values["state"]),
        )
        .values(lease_until=None, hinted_at=None, **values)
    )
    if moved.rowcount and values["state"] == TaskState.SCHEDULED and task.attempt:
        keep_attempt(connection, task, values)
    if moved.rowcount:
        note_tasks(connection, task.job_id, task.stage, values["state"], [(task.chunk, task.attempt)])
    return moved.rowcount == 1


def keep_attempt(connection: Connection, task: AnyRow, values: Mapping[str, Any]) -> None:
    """Keep a task's attempt as history; `values` say how it ended, where its row does not yet."""
    known = connection.execute(
        select(attempts.c.attempt).where(
            attempts.c.job_id == task.job_id,
            attempts.c.stage == task.stage,
            attempts.c.chunk == task.chunk,
            attempts.c.attempt == task.attempt,
        )
    ).first()
    if known is None:
        connection.execute(
            insert(attempts).values(
                job_id=task.job_id,
                stage=task.stage,
                chunk=task.chunk,
                attempt=task.attempt,
                worker_id=task.worker_id,
                received_at=task.received_at,
                started_at=values.get("started_at", task.started_at),
                ended_at=values.get("ended_at"),
                reason=values.get("reason"),
                exit_code=values.get("exit_code"),
                message=values.get("message"),
                spent=values.get("spent"),
            )
        )


def release(
    connection: Connection, worker_id: str, job_id: str, stage: Stage, held: Sequence[tuple[int, int]]
) -> int:
    """Hand leases back untouched; the attempt number stays raised, so the releasing attempt can't write any more."""
    done = connection.execute(
        update(tasks)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == stage,
            tuple_(tasks.c.chunk, tasks.c.attempt).in_(held),
            tasks.c.worker_id == worker_id,
            tasks.c.state.in_(_LEASED),
        )
        .values(state=TaskState.SCHEDULED, worker_id=None, lease_until=None, hinted_at=None)
        .returning(tasks.c.chunk, tasks.c.attempt)
    ).all()
    note_tasks(connection, job_id, stage, TaskState.SCHEDULED, done)
    return len(done)


def expired(connection: Connection, limit: int) -> list[AnyRow]:
    """Return leased tasks whose lease ran out by the database's clock, oldest first."""
    found = connection.execute(
        select(tasks)
        .where(tasks.c.state.in_(LEASED_AS_TEXT), tasks.c.lease_until < db_now())
        .order_by(tasks.c.lease_until)
        .limit(limit)
        .with_for_update()
    )
    return list(found.all())


def held_by(connection: Connection, worker_ids: Sequence[str]) -> list[AnyRow]:
    """Return every task leased to one of these workers."""
    found = connection.execute(
        select(tasks).where(tasks.c.state.in_(LEASED_AS_TEXT), tasks.c.worker_id.in_(worker_ids))
    )
    return list(found.all())


def cancel_open(connection: Connection, job_id: str) -> int:
    """Cancel every task of a job that has not ended; return how many were leased."""
    leased = connection.execute(
        select(func.count()).where(tasks.c.job_id == job_id, tasks.c.state.in_(_LEASED))
    ).scalar_one()
    note_cancelled(connection, job_id)
    connection.execute(
        update(tasks)
        .where(tasks.c.job_id == job_id, may_become(TaskState.CANCELLED))
        .values(state=TaskState.CANCELLED, lease_until=None, ended_at=db_now(), reason=EndReason.CANCELLED)
    )
    return leased


def unfinished(connection: Connection, job_id: str, stage: Stage) -> bool:
    """Tell whether a stage still has a task that is not Completed."""
    return connection.execute(_UNFINISHED, {"of_job": job_id, "of_stage": stage}).first() is not None


def first_failed(connection: Connection, job_id: str) -> AnyRow | None:
    """Return a job's failed task, if any."""
    found = connection.execute(_FAILED, {"of_job": job_id}).first()
    if found is None:
        return None
    return connection.execute(
        select(tasks).where(
            tasks.c.job_id == job_id, tasks.c.stage == found.stage, tasks.c.chunk == found.chunk
        )
    ).one()
