"""Many files fetched at a time and counted together; the first failure stops the others."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event, Lock
from typing import TypeVar

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason
from storage.sources.context import SourceContext

_Result = TypeVar("_Result")
_AHEAD = 2  # calls that are begun or wait, for each that may run


class _Stopped(Exception):
    """Raised in a transfer when another has failed."""


class Transfers:
    """Fetches one source's files within its bounds."""

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._lock = Lock()
        self._bytes = 0
        self._stopped = Event()

    def moved(self, count: int) -> None:
        """Note that so many more bytes came.

        Raises:
            AttemptFailed: with DATA_SOURCE when they are more than the limit.
            Exception: whatever the context's `on_progress` raises, or when another transfer failed.
        """
        if self._stopped.is_set():
            raise _Stopped
        with self._lock:
            self._bytes += count
            total, limit = self._bytes, self._context.limit_bytes
        if total > limit:
            raise too_large(limit)
        self._context.on_progress(total)

    def run(self, calls: Iterable[Callable[[], _Result]]) -> Iterator[_Result]:
        """Make the calls, up to `transfers` at a time, and yield what they return in the order of their ends.

        `calls` is asked for no more than can soon begin.

        Raises:
            Exception: what the first call that failed raised, or `calls` itself.
        """
        limit, open_calls = self._context.transfers, 0
        ended: SimpleQueue[Future[_Result]] = SimpleQueue()
        with ThreadPoolExecutor(limit, thread_name_prefix="fetch") as pool:
            try:
                for call in _until_stopped(calls):
                    pool.submit(self._guarded, call).add_done_callback(ended.put)
                    open_calls += 1
                    if open_calls >= limit * _AHEAD:
                        open_calls -= 1
                        yield from _result(ended.get())
                for _ in range(open_calls):
                    yield from _result(ended.get())
            finally:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _guarded(self, call: Callable[[], _Result]) -> _Result:
        try:
            return call()
        except BaseException:
            self._stopped.set()
            raise


def too_large(limit_bytes: int) -> AttemptFailed:
    """Return the failure of a source that is larger than may be fetched."""
    return AttemptFailed(
        EndReason.DATA_SOURCE, f"the data source holds more than the limit of {limit_bytes} bytes"
    )


def _until_stopped(calls: Iterable[Callable[[], _Result]]) -> Iterator[Callable[[], _Result]]:
    try:
        yield from calls
    except _Stopped:
        return  # what it was stopped for is still to come


def _result(ended: Future[_Result]) -> Iterator[_Result]:
    # One that was stopped ended because of another that failed, whose own end is still to come.
    if not isinstance(ended.exception(), _Stopped):
        yield ended.result()
