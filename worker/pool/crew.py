"""The pool's background threads: those that open slots never wait for those that close them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

log = structlog.get_logger()

Job = Callable[[], None]


class Crew:
    """As many openers as the worker has places: with its claims, at most twice that many slots open at once."""

    def __init__(self, places: int) -> None:
        self._openers = ThreadPoolExecutor(places, thread_name_prefix="pool-open")
        self._closers = ThreadPoolExecutor(max(2, places), thread_name_prefix="pool-close")

    def open(self, job: Job) -> None:
        """Do a job that opens a slot or lets it import; dropped after `stop`."""
        self._submit(self._openers, job)

    def close(self, job: Job) -> None:
        """Do a job that closes a slot."""
        if not self._submit(self._closers, job):
            _guarded(job)

    def stop_opening(self) -> None:
        """Drop what has not begun, and wait for what has."""
        self._openers.shutdown(wait=True, cancel_futures=True)

    def stop(self) -> None:
        """Wait for every slot to be closed."""
        self.stop_opening()
        self._closers.shutdown(wait=True)

    def _submit(self, threads: ThreadPoolExecutor, job: Job) -> bool:
        try:
            threads.submit(_guarded, job)
        except RuntimeError:  # shut down
            return False
        return True


def _guarded(job: Job) -> None:
    try:
        job()
    except Exception:
        log.exception("pool_job_broke")
