"""Merges runs of small log segments: a search reads one object instead of a hundred.

Crash-safe: the new object is written first, then one transaction puts its segment in the place of the old ones, then
the old objects go. What a crash leaves behind in between goes with the job's other objects.
"""

import threading
from collections.abc import Sequence
from itertools import groupby

import structlog
from sqlalchemy.exc import DBAPIError

from gridloom.errors import BlobMissing, GridloomError
from gridloom.ids import new_uuid
from gridloom.log_frames import join
from storage.blobs import BlobStore
from storage.columns import AnyRow
from storage.db import Database
from storage.repositories import logs

log = structlog.get_logger()

MOST_LINES = 65_536  #: a run with more is made of segments that are large enough
MOST_BYTES = 4 << 20
_RUNS_AT_ONCE = 8
_PAUSE_S = 2.0
_SETTLED_S = 60.0  #: when a run is older no worker sends a part of it again


class LogMerger:
    """One thread that merges what is due; it does no harm when two of them work at the same time."""

    def __init__(self, database: Database, store: BlobStore, after_s: float = _SETTLED_S) -> None:
        self._database, self._store, self._after_s = database, store, after_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-merger", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Finish the run at hand and end the thread."""
        self._stopped.set()
        self._thread.join(timeout_s)

    def merge_due(self) -> int:
        """Look at some of the runs that are due and merge those of small segments; return how many were looked at."""
        with self._database.read() as connection:
            due = logs.runs(connection, self._after_s, _RUNS_AT_ONCE)
        for last in due:
            if self._stopped.is_set():
                break
            with self._database.read() as connection:
                run = logs.run_of(connection, last)
            small = sum(it.lines for it in run) <= MOST_LINES
            if small and sum(it.size + it.texts_size for it in run) <= MOST_BYTES:
                for _, parts in groupby(run, lambda row: row.stage):
                    self._merge(list(parts))
            with self._database.write() as connection:
                logs.end_run(connection, last)
        return len(due)

    def _merge(self, parts: Sequence[AnyRow]) -> None:
        if len(parts) < 2:
            return
        job_id = parts[0].job_id
        try:
            frames = [self._store.get_bytes(it.key, it.offset, it.size + it.texts_size) for it in parts]
            lines = join(frame[: it.size] for it, frame in zip(parts, frames, strict=True))
            texts = join(frame[it.size :] for it, frame in zip(parts, frames, strict=True))
        except (BlobMissing, ValueError) as error:
            # Readers leave out what is damaged, segment by segment.
            log.warning("log_run_unreadable", job=job_id, error=str(error))
            return
        key = f"logs/{job_id}/{new_uuid()}"
        self._store.put_bytes(key, lines + texts)
        with self._database.write() as connection:
            done = logs.replace(connection, parts, {"key": key, "size": len(lines), "texts_size": len(texts)})
            old = logs.unused(connection, job_id, {it.key for it in parts}) if done else {key}
        for unused in old:
            self._store.delete(unused)
        if done:
            log.info("log_segments_merged", job=job_id, segments=len(parts))

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                more = self.merge_due()
            except (GridloomError, DBAPIError) as error:
                log.warning("log_merge_failed", error=str(error))
                more = 0
            except Exception:
                log.exception("log_merge_broke")
                more = 0
            if not more:
                self._stopped.wait(_PAUSE_S)
