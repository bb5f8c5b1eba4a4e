"""Does many like things at a time, some at once, and stops at the first that fails."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TypeVar

T = TypeVar("T")


def side_by_side(pool: Executor, work: Callable[[T], None], things: Iterable[T], width: int) -> None:
    """Do `work` on each thing, on at most `width` at once, taking things as room comes free.

    Raises:
        Exception: the first that any work raised, or `things`, once what had begun is over.
    """
    running: set[Future[None]] = set()
    try:
        for thing in things:
            running.add(pool.submit(work, thing))
            if len(running) >= width:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                _check(done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            _check(done)
    finally:
        for future in running:
            future.cancel()
        wait(running)


def _check(done: Iterable[Future[None]]) -> None:
    for future in done:
        future.result()
