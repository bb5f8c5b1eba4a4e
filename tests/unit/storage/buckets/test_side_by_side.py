"""Things are done some at a time, and the first failure ends it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.buckets.side_by_side import side_by_side


def test_as_many_run_as_may_and_no_more_are_taken() -> None:
    taken, done = 0, 0
    lock, all_three = threading.Lock(), threading.Barrier(3)

    def things() -> Iterator[int]:
        nonlocal taken
        for it in range(9):
            taken += 1
            assert taken - done <= 3
            yield it

    def work(_thing: int) -> None:
        nonlocal done
        all_three.wait(10)
        with lock:
            done += 1

    with ThreadPoolExecutor(8) as pool:
        side_by_side(pool, work, things(), 3)
    assert done == 9


def test_the_first_failure_is_raised_once_the_rest_is_over() -> None:
    done: list[int] = []

    def work(thing: int) -> None:
        if thing == 2:
            raise ValueError("two")
        done.append(thing)

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(ValueError, match="two"):
            side_by_side(pool, work, range(1000), 2)
        assert len(done) < 10
        with pytest.raises(ZeroDivisionError):
            side_by_side(pool, work, (1 // it for it in (1, 0)), 2)
