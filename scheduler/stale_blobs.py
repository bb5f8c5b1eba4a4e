"""Removes the bytes of archives and cache files that no component, cache or job that may still run names."""

import structlog

from gridloom.errors import StoreUnavailable
from storage.blobs import BlobStore
from storage.db import Database
from storage.repositories import stale_blobs

log = structlog.get_logger()

BLOBS_PER_SWEEP = 100


def sweep_blobs(database: Database, store: BlobStore) -> int:
    """Remove some of the bytes whose time is over; return how many keys it dealt with.

    The note of a key goes after its bytes, so what a crash interrupts is done again.
    """
    with database.read() as connection:
        keys = stale_blobs.due(connection, BLOBS_PER_SWEEP)
        if not keys:
            return 0
        planned = stale_blobs.planned(connection, keys)
    with database.write() as connection:
        stale_blobs.put_off(connection, planned)
        taken = stale_blobs.take(connection, set(keys) - planned)
    gone = []
    for key in taken:
        try:
            store.delete(key)
        except StoreUnavailable as error:
            log.warning("blob_not_removed", key=key, error=error.message)
            continue
        gone.append(key)
    with database.write() as connection:
        stale_blobs.forget(connection, gone)
    if gone:
        log.info("blobs_removed", count=len(gone))
    return len(planned) + len(gone)
