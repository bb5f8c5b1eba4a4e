"""Deletes what is over: the temporary bucket after its hours, chunks, results, deleted jobs, expired sign-ins."""

import structlog

from gridloom.errors import StoreUnavailable
from gridloom.settings import Settings
from storage.blobs import BlobStore
from storage.columns import AnyRow
from storage.db import Database
from storage.repositories import idempotency, job_states, logs, reuse, sign_ins

log = structlog.get_logger()

JOBS_PER_SWEEP = 20
_CHUNKS_AT_ONCE = 10_000


def job_prefix(job_id: str) -> str:
    """Return the prefix of a job's source, chunks, results and output."""
    return f"jobs/{job_id}"


def log_prefix(job_id: str) -> str:
    """Return the prefix of a job's log segments, which outlive its output."""
    return f"logs/{job_id}"


def sweep_leftovers(store: BlobStore) -> None:
    """Remove what unfinished puts left in the store; what fails is tried again the next time."""
    try:
        store.sweep_leftovers()
    except StoreUnavailable as error:
        log.warning("leftovers_not_swept", error=error.message)


def sweep(database: Database, store: BlobStore, settings: Settings) -> int:
    """Purge some of the jobs that are due; return how many. Idempotency keys go by the way."""
    with database.read() as connection:
        due = job_states.purgeable(connection, settings.bucket_hours * 3600, JOBS_PER_SWEEP)
    with database.write() as connection:
        idempotency.forget_old(connection)
    purged = 0
    for row in due:
        _forget_results(database, row)
        try:
            store.delete_prefix(job_prefix(row.id))
            if row.deleted_at is not None:
                store.delete_prefix(log_prefix(row.id))
        except StoreUnavailable as error:
            log.warning("sweep_failed", job=row.id, error=error.message)
            continue
        with database.write() as connection:
            job_states.mark_purged(connection, row.id)
            if row.deleted_at is not None:
                logs.forget(connection, row.id)
        purged += 1
        log.info("job_purged", job=row.id)
    with database.write() as connection:
        sign_ins.sweep(connection)
    return purged


def _forget_results(database: Database, row: AnyRow) -> None:
    # In short transactions, ahead of the bytes: nobody should be led to what is about to go.
    for first in range(0, row.chunks, _CHUNKS_AT_ONCE):
        with database.write() as connection:
            reuse.forget(connection, row.id, first, first + _CHUNKS_AT_ONCE - 1)
