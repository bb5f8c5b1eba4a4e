"""Uploads chunks and registers them: small ones together inside the call, large ones under keys of their own.

An object of the job's source is registered where it lies.
"""

import hashlib
import os
import time

from gridloom.wire import INLINE_CHUNK_BYTES, ChunksRequest, NewChunk
from worker.attempt import Attempt
from worker.file_bytes import read_whole

BATCH_CHUNKS = 500
BATCH_BYTES = 4 * 1024 * 1024
BATCH_S = 0.2
_BLOCK = 1024 * 1024


class ChunkUpload:
    """Collects one partition attempt's chunks into batches."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._chunks: list[NewChunk] = []
        self._tail: list[bytes] = []
        self._bytes = 0
        self._since = 0.0

    @property
    def pending(self) -> bool:
        """Whether a batch has begun."""
        return bool(self._chunks)

    def add(self, index: int, fd: int, size: int) -> None:
        """Take a chunk's first `size` bytes, and send the batch when it is full or old.

        Raises:
            LeaseLost: when the attempt's lease is lost.
            Unavailable: when the control plane or the object store can't be reached.
        """
        if size <= INLINE_CHUNK_BYTES:
            data = read_whole(fd, size)
            digest = hashlib.sha256(data).hexdigest()
            chunk = NewChunk(index=index, size=len(data), sha256=digest, offset=self._bytes)
            self._tail.append(data)
            self._bytes += len(data)
        else:
            key = f"{self._attempt.prefix}/{self._attempt.lease.attempt}-{index}"
            digest = _digest(fd, size)
            self._attempt.shop.store.put_fd(key, fd, size)
            chunk = NewChunk(index=index, size=size, sha256=digest, key=key)
        self.refer(chunk)

    def refer(self, chunk: NewChunk) -> None:
        """Take a chunk whose bytes need no upload, or were uploaded; raises as `add`."""
        if not self._chunks:
            self._since = time.monotonic()
        self._chunks.append(chunk)
        if len(self._chunks) >= BATCH_CHUNKS or self._bytes >= BATCH_BYTES:
            self.flush()
        else:
            self.flush_if_old()

    def flush_if_old(self) -> None:
        """Send a batch that began a while ago; raises as `add`."""
        if self._chunks and time.monotonic() - self._since >= BATCH_S:
            self.flush()

    def flush(self) -> None:
        """Send the batch, if one has begun; raises as `add`."""
        if not self._chunks:
            return
        attempt = self._attempt
        request = ChunksRequest(
            job_id=attempt.lease.job_id, attempt=attempt.lease.attempt, chunks=tuple(self._chunks)
        )
        attempt.shop.control.chunks(request, b"".join(self._tail), attempt.wanted)
        self._chunks, self._tail, self._bytes = [], [], 0


def _digest(fd: int, size: int) -> str:
    digest, place = hashlib.sha256(), 0
    while place < size and (block := os.pread(fd, min(_BLOCK, size - place), place)):
        digest.update(block)
        place += len(block)
    return digest.hexdigest()
