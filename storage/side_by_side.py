"""Does many like things at a time; the first failure stops the others."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, wait
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def _no_check() -> None:
    pass


class SideBySide:
    """Work on a pool's threads, of which at most `width` pieces have begun or wait; `check` raises to stop it."""

    def __init__(self, pool: Executor, width: int, check: Callable[[], None] = _no_check) -> None:
        self._pool, self._width, self._check = pool, width, check
        self._failure: BaseException | None = None

    def each(self, work: Callable[[T], None], things: Iterable[T]) -> None:
        """Do `work` on each thing, taking things as room comes free.

        Raises:
            Exception: the first that any work raised, or `things`, or `check`, once what had begun is over.
        """

        def watched(thing: T) -> None:
            try:
                self.check()
                work(thing)
            except BaseException as error:
                self._stop(error)
                raise

        begun: set[Future[None]] = set()
        ended: SimpleQueue[Future[None]] = SimpleQueue()  # watching all that began costs more than it tells
        try:
            for thing in things:
                future = self._pool.submit(watched, thing)
                begun.add(future)
                future.add_done_callback(ended.put)
                if len(begun) >= self._width:
                    _settle(ended.get(), begun)
            while begun:
                _settle(ended.get(), begun)
        except BaseException as error:
            self._stop(error)
            raise
        finally:
            for future in begun:
                future.cancel()
            wait(begun)

    def check(self) -> None:
        """Raise what has failed elsewhere, or what the given `check` raises; long work asks now and then."""
        if self._failure is not None:
            raise self._failure
        self._check()

    def _stop(self, error: BaseException) -> None:
        self._failure = self._failure or error


def _settle(future: Future[None], begun: set[Future[None]]) -> None:
    begun.remove(future)
    future.result()
