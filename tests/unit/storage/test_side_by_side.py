"""Things are done some at a time, and the first failure ends it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.side_by_side import SideBySide


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
        SideBySide(pool, 3).each(work, things())
    assert done == 9


def test_the_first_failure_is_raised_once_the_rest_is_over() -> None:
    done: list[int] = []

    def work(thing: int) -> None:
        if thing == 2:
            raise ValueError("two")
        done.append(thing)

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(ValueError, match="two"):
            SideBySide(pool, 2).each(work, range(1000))
        assert len(done) < 10
        with pytest.raises(ZeroDivisionError):
            SideBySide(pool, 2).each(work, (1 // it for it in (1, 0)))


class Endless:
    """Work and things that go on until they are stopped; one fault comes once all has begun."""

    def __init__(self, pool: ThreadPoolExecutor, fault: str) -> None:
        self.fault, self.begun, self.stopped = fault, threading.Event(), threading.Event()
        self.side = SideBySide(pool, 2, lambda: self.fail("check") if self.begun.is_set() else None)

    def fail(self, where: str) -> None:
        if where == self.fault:
            assert self.begun.wait(10)
            raise ValueError(where)

    def work(self, thing: str) -> None:
        self.fail(thing)
        self.begun.set()
        try:
            while True:
                self.side.check()
        finally:
            self.stopped.set()

    def things(self) -> Iterator[str]:
        yield "endless"
        self.fail("things")
        yield from ["work"] if self.fault == "work" else ()
        while True:
            self.side.check()


@pytest.mark.parametrize("fault", ["work", "things", "check"])
def test_long_work_and_listings_that_ask_are_stopped_by_a_failure_elsewhere(fault: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        endless = Endless(pool, fault)
        with pytest.raises(ValueError, match=fault):
            endless.side.each(endless.work, endless.things())
    assert endless.stopped.is_set()
