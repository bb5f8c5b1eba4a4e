"""Many files fetched at a time and counted together; the first failure stops the others."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason
from storage.side_by_side import SideBySide
from storage.sources.context import SourceContext

T = TypeVar("T")
_AHEAD = 2  # files that are begun or wait, for each that may be fetched
_NOTED = 1000  # files that get a line of their own in the log


class Transfers:
    """Fetches one source's files within its bounds; `files` were fetched so far, and `bytes`."""

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._pool = ThreadPoolExecutor(context.transfers, thread_name_prefix="fetch")
        self._all = SideBySide(self._pool, context.transfers * _AHEAD)
        self._lock = Lock()
        self.files = self.bytes = 0

    def moved(self, count: int) -> None:
        """Note that so many more bytes came.

        Raises:
            AttemptFailed: with DATA_SOURCE when they are more than the limit.
            Exception: whatever the context's `on_progress` raises, or another transfer did.
        """
        self._all.check()
        with self._lock:
            self.bytes += count
            total, limit = self.bytes, self._context.limit_bytes
        if total > limit:
            raise too_large(limit)
        self._context.on_progress(total)

    def each(self, fetch: Callable[[T], str], files: Iterable[T]) -> None:
        """Fetch files, up to `transfers` at a time, and note what `fetch` says of each.

        `files` is asked for no more than can soon begin.

        Raises:
            Exception: the first that was raised by any `fetch`, or by `files`.
        """

        def noted(file: T) -> None:
            text = fetch(file)
            with self._lock:
                self.files += 1
                if self.files <= _NOTED:
                    self._context.note(f"fetched {text}")

        with self._pool:
            self._all.each(noted, files)


def too_large(limit_bytes: int) -> AttemptFailed:
    """Return the failure of a source that is larger than may be fetched."""
    return AttemptFailed(
        EndReason.DATA_SOURCE, f"the data source holds more than the limit of {limit_bytes} bytes"
    )
