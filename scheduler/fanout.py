"""Registers chunks while the partitioner still runs: the control plane's side of streaming fan-out."""

from collections.abc import Sequence

from sqlalchemy import Connection

from gridloom.errors import LeaseLost
from gridloom.states import JobState, Stage, TaskState
from gridloom.wire import NewChunk
from storage.repositories import chunks as chunk_rows
from storage.repositories import job_states, tasks


def register_chunks(
    connection: Connection, worker_id: str, job_id: str, attempt: int, chunks: Sequence[NewChunk]
) -> None:
    """Make a task of each chunk; every chunk must carry its key.

    A chunk that an earlier run of the partitioner, or this one, registered before keeps its task when the bytes are
    the same and loses its result when they are not.

    Raises:
        LeaseLost: when the worker doesn't hold the partition task under this attempt.
    """
    _must_hold(connection, worker_id, job_id, Stage.PARTITION, attempt)
    latest = {chunk.index: chunk for chunk in chunks}.values()
    known = tasks.locked(connection, job_id, Stage.APP, [chunk.index for chunk in latest])
    fresh = [chunk for chunk in latest if chunk.index not in known]
    changed = [
        chunk for chunk in latest if chunk.index in known and known[chunk.index].chunk_sha256 != chunk.sha256
    ]
    tasks.insert_new(connection, [_row(job_id, chunk) for chunk in fresh])
    chunk_rows.reset(
        connection,
        job_id,
        [
            {
                "at_chunk": c.index,
                "key": c.key,
                "offset": c.offset,
                "size": c.size,
                "sha256": c.sha256,
                "etag": c.etag,
            }
            for c in changed
        ],
    )
    undone = [known[it.index].price or 0 for it in changed if known[it.index].state == TaskState.COMPLETED]
    job_states.add_counts(connection, job_id, chunks=len(fresh), completed=-len(undone), price=-sum(undone))
    job_states.advance(connection, job_id, JobState.PARTITIONING)


def begin_phase(connection: Connection, worker_id: str, job_id: str, stage: Stage, attempt: int) -> None:
    """Note that a stage's own process starts: the source is there, or the results are.

    Raises:
        LeaseLost: when the worker doesn't hold the stage under this attempt.
    """
    _must_hold(connection, worker_id, job_id, stage, attempt)
    if stage is Stage.PARTITION:
        job_states.advance(connection, job_id, JobState.PARTITIONING)


def _must_hold(connection: Connection, worker_id: str, job_id: str, stage: Stage, attempt: int) -> None:
    job_states.lock(connection, [job_id])  # before its tasks, as everybody does
    if not tasks.holds(connection, worker_id, job_id, stage, 0, attempt):
        raise LeaseLost(f"attempt {attempt} of job {job_id}'s {stage} is no longer yours")


def _row(job_id: str, chunk: NewChunk) -> dict[str, object]:
    return {
        "job_id": job_id,
        "stage": Stage.APP,
        "chunk": chunk.index,
        "chunk_key": chunk.key,
        "chunk_offset": chunk.offset,
        "chunk_size": chunk.size,
        "chunk_sha256": chunk.sha256,
        "chunk_etag": chunk.etag,
    }
