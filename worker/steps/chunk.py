"""The task's one chunk, as TASK_DIR/data.bin."""

from pathlib import Path

from gridloom.errors import RunnerFailed, StoreUnavailable
from gridloom.wire import BlobSpan
from storage.buckets.bucket import ObjectInfo
from storage.sources.bucket import failures_named, fetch_object, place_of
from worker.attempt import Attempt, Phase

NAME = "data.bin"


class Chunk:
    """Writes the bytes that came with the claim, or fetches them: from the store, or where the job's source lies."""

    phase: Phase = "fetched"

    def prepare(self, attempt: Attempt) -> None:
        """Write the chunk.

        Raises:
            AttemptFailed: when an object of the source can't be had, or was changed since it became a chunk.
            StoreUnavailable: when the store can't give it.
            LeaseLost: when the lease ended meanwhile.
        """
        claimed, path = attempt.claimed, attempt.place("TASK_DIR") / NAME
        if claimed.blob is None:
            path.write_bytes(attempt.inline)
        elif claimed.blob.etag is not None:
            _fetch_from_source(attempt, claimed.blob, claimed.blob.etag, path)
        else:
            blob = claimed.blob
            size = attempt.shop.store.get_file(blob.key, path, blob.offset, blob.size)
            if size != blob.size:
                raise StoreUnavailable(f"{blob.key} ends after {size} of {blob.size} bytes")
        attempt.env["CHUNK_NUMBER"] = str(claimed.chunk)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole."""


def _fetch_from_source(attempt: Attempt, blob: BlobSpan, etag: str, path: Path) -> None:
    if attempt.work.source is None:
        raise RunnerFailed("no data source was named")
    place, info = place_of(attempt.work.source), ObjectInfo(key=blob.key, size=blob.size, etag=etag)
    with failures_named(), attempt.shop.buckets.use(place) as bucket:
        fetch_object(bucket, info, path, lambda _bytes: attempt.lease.check())
