"""Stores objects, small ones with one call and large ones in parts, and sees that they arrived as they were sent."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain

import structlog

from gridloom.errors import BadInput
from storage.buckets.failures import Failure
from storage.buckets.listing import exists, look
from storage.buckets.multipart import Multipart, claim
from storage.buckets.objects import Label, ObjectInfo, Progress, no_progress
from storage.buckets.session import Session
from storage.buckets.window import Window

log = structlog.get_logger()
_ONE_CALL = 16 << 20
_MOST_PARTS = 9_000  # of the 10,000 that S3 takes
_STREAM_PART = 8 << 20
_STREAM_WIDTH = 2
_STREAM_STEP, _STREAM_DOUBLINGS = 2_000, 3  # parts grow from 8 to 64 MiB, so a stream may have 360 GiB


def put(session: Session, key: str, data: bytes, label: Label, *, only_new: bool = False) -> ObjectInfo:
    """Store bytes with one call."""
    digest = hashlib.md5(data, usedforsecurity=False)
    create = claim(session, key, only_new=only_new)
    try:
        stored = session.put(key, data, digest.digest(), label, create=create)
    except Failure as failure:
        if create and session.without_conditions(failure):
            return put(session, key, data, label, only_new=True)
        if not (failure.unmet and failure.retried and look(session, key).etag == digest.hexdigest()):
            raise
        etag = digest.hexdigest()  # an earlier try, whose answer was lost, stored it
    else:
        etag = stored.etag
        if etag != digest.hexdigest() and not stored.checked:
            log.info("bucket_etags_no_digests", bucket=session.access.place.bucket)
            session.md5_etags = False  # so that the server is told the digest
            etag = session.put(key, data, digest.digest(), label, create=False).etag
    return ObjectInfo(
        key=key, size=len(data), etag=etag, content_type=label.content_type, metadata=dict(label.metadata)
    )


def upload(
    session: Session, key: str, fd: int, size: int, label: Label, *, only_new: bool, on_progress: Progress
) -> ObjectInfo:
    """Store the first `size` bytes of an open file.

    Raises:
        BadInput: when the file is shorter.
    """
    if os.fstat(fd).st_size < size:
        raise BadInput(f"the file for {key!r} is shorter than {size} bytes")
    if size <= _ONE_CALL:
        with session.memory.hold(size):
            info = put(session, key, Window(fd, 0, size).read(), label, only_new=only_new)
        on_progress(size)
        return info
    if only_new and exists(session, key):
        raise Failure(status=412)
    step = max(_ONE_CALL, -(-size // _MOST_PARTS))
    parts = (Window(fd, start, min(step, size - start)) for start in range(0, size, step))
    with Multipart(session, key, label) as multipart:
        multipart.send(parts, session.access.transfers, on_progress)
        return multipart.complete(only_new=only_new)


def upload_stream(session: Session, key: str, blocks: Iterable[bytes]) -> ObjectInfo:
    """Store what comes, with one call when it is little."""
    parts, label = _parts(blocks), Label()
    first, second = next(parts), next(parts, b"")
    if not second:
        return put(session, key, first, label)
    with Multipart(session, key, label) as multipart:
        multipart.send(chain((first, second), parts), _STREAM_WIDTH, no_progress)
        return multipart.complete(only_new=False)


def _parts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield at least one part, the last of which alone may be empty."""
    buffer = bytearray()
    count, size = 0, _STREAM_PART
    for block in blocks:
        buffer += block
        while len(buffer) > size:
            yield bytes(memoryview(buffer)[:size])
            del buffer[:size]
            count += 1
            size = _STREAM_PART << min(count // _STREAM_STEP, _STREAM_DOUBLINGS)
    yield bytes(buffer)
