"""Streaming fan-out: finished chunks are uploaded and registered while the partitioner still runs."""

import os
from threading import Event, Thread

import structlog

from gridloom.errors import AttemptFailed, LeaseLost
from gridloom.states import EndReason
from worker.attempt import Attempt, Phase
from worker.chunk_upload import BATCH_S, ChunkUpload
from worker.chunk_watch import ChunkWatch

log = structlog.get_logger()

_IDLE_S = 5.0


class Chunks:
    """Watches CHUNKS_DIR in a thread of its own from before the script to its end."""

    phase: Phase = "fetched"

    def __init__(self) -> None:
        self._ended = Event()
        self._thread: Thread | None = None
        self._watch: ChunkWatch | None = None

    def prepare(self, attempt: Attempt) -> None:
        """Start watching."""
        limit = attempt.work.max_chunks or attempt.shop.settings.max_chunks
        watch = self._watch = ChunkWatch(attempt.place("CHUNKS_DIR"), limit)
        upload = ChunkUpload(attempt)
        self._thread = Thread(target=self._stream, args=(attempt, watch, upload), name="chunks")
        self._thread.start()

    def finish(self, attempt: Attempt) -> None:
        """Send what is left once the partitioner has ended, and count.

        Raises:
            AttemptFailed: when the chunks break the rules.
            LeaseLost: when the lease was lost.
        """
        self._stop()
        watch = self._watch
        if attempt.trouble is not None or watch is None:
            raise attempt.trouble or RuntimeError("the chunks were never watched")
        upload = ChunkUpload(attempt)
        for index in watch.remaining():
            _send(watch, upload, index)
        upload.flush()
        attempt.total = watch.count

    def cleanup(self, attempt: Attempt) -> None:  # noqa: ARG002 - a step's signature
        """Stop watching."""
        self._stop()
        if self._watch is not None:
            self._watch.close()

    def _stop(self) -> None:
        self._ended.set()
        if self._watch is not None and self._thread is not None:
            self._watch.wake()
            self._thread.join()
            self._thread = None

    def _stream(self, attempt: Attempt, watch: ChunkWatch, upload: ChunkUpload) -> None:
        try:
            while not self._ended.is_set():
                for index in watch.finished(BATCH_S if upload.pending else _IDLE_S):
                    _send(watch, upload, index)
                upload.flush_if_old()
            upload.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this attempt
            # The script runs in vain from here on; its own step raises this when it has ended.
            attempt.trouble = error
            attempt.lease.kill(_reason(error))
            log.info("partitioner_killed", attempt=attempt.label, error=str(error))


class FinishChunks:
    """Ends the streaming once the script has ended well."""

    phase: Phase = "stored"

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    def prepare(self, attempt: Attempt) -> None:
        """Send the rest."""
        self._chunks.finish(attempt)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the chunks' own step stops the watching."""


def _send(watch: ChunkWatch, upload: ChunkUpload, index: int) -> None:
    fd, facts = watch.open(index)
    try:
        upload.add(index, fd, facts.st_size)
    finally:
        os.close(fd)


def _reason(error: Exception) -> EndReason:
    if isinstance(error, AttemptFailed):
        return error.reason
    return EndReason.CANCELLED if isinstance(error, LeaseLost) else EndReason.RUNNER_FAILED
