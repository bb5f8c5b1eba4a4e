"""Small pieces in few objects: the tail of a worker's frame becomes one stored object, and is read back in spans."""

from collections.abc import Sequence

from gridloom.ids import new_uuid
from gridloom.sources import BYPASS_DATA
from gridloom.wire import INLINE_CHUNK_BYTES, BlobSpan, Claimed, LogSegment
from storage.blobs import BlobStore
from storage.columns import AnyRow
from storage.joined_reads import Piece, read_joined


def put_pack(store: BlobStore, job_id: str, kind: str, tail: memoryview) -> str:
    """Store a frame's tail under the job's prefix and return its key."""
    key = f"jobs/{job_id}/{kind}/{new_uuid()}"
    store.put_bytes(key, bytes(tail))
    return key


def put_logs(
    store: BlobStore, job_id: str, segments: Sequence[LogSegment], tail: memoryview
) -> list[dict[str, object]]:
    """Store log segments beside the job's other bytes, which they outlive; return their rows.

    The key is the segment's own, so what is sent again replaces itself.
    """
    rows: list[dict[str, object]] = []
    for segment in segments:
        key = f"logs/{job_id}/{segment.id}"
        store.put_bytes(key, bytes(tail[segment.offset : segment.offset + segment.size + segment.texts_size]))
        rows.append(segment.model_dump(exclude={"id"}) | {"key": key, "offset": 0})
    return rows


def inline_chunks(store: BlobStore, rows: Sequence[AnyRow]) -> tuple[tuple[Claimed, ...], bytes]:
    """Return the claimed tasks and the bytes of those chunks that are small enough to travel along.

    Neighbouring spans of one object are read at once. Objects of a job's source are left to the worker.
    """
    tail = bytearray()
    claimed: dict[int, Claimed] = {}
    small = [row for row in rows if _is_stored(row) and row.chunk_size <= INLINE_CHUNK_BYTES]
    pieces = [Piece(row.chunk_key, row.chunk_offset, row.chunk_size) for row in small]
    for row, data in zip(small, read_joined(store, pieces), strict=True):
        claimed[row.chunk] = Claimed(
            chunk=row.chunk, attempt=row.attempt, size=row.chunk_size, offset=len(tail)
        )
        tail += data
    dummy_at = len(tail)
    if any(row.chunk_size and not row.chunk_key for row in rows):
        tail += BYPASS_DATA
    return tuple(claimed.get(row.chunk) or _stored(row, dummy_at) for row in rows), bytes(tail)


def _is_stored(row: AnyRow) -> bool:
    return bool(row.chunk_key) and row.chunk_etag is None


def _stored(row: AnyRow, dummy_at: int) -> Claimed:
    if not row.chunk_key:
        size = len(BYPASS_DATA) if row.chunk_size else 0
        return Claimed(chunk=row.chunk, attempt=row.attempt, size=size, offset=dummy_at if size else 0)
    span = BlobSpan(key=row.chunk_key, offset=row.chunk_offset, size=row.chunk_size, etag=row.chunk_etag)
    return Claimed(chunk=row.chunk, attempt=row.attempt, size=row.chunk_size, blob=span)
