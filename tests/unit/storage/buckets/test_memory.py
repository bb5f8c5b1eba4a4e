"""Memory is held in turns when there is not enough for all."""

import threading
from concurrent.futures import ThreadPoolExecutor

from storage.buckets.memory import MemoryBudget


def test_holders_never_have_more_than_the_limit_together() -> None:
    budget, lock = MemoryBudget(10), threading.Lock()
    held, most = 0, 0

    def hold(count: int) -> None:
        nonlocal held, most
        with budget.hold(count):
            with lock:
                held += count
                most = max(most, held)
            with lock:
                held -= count

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, [4, 7, 10, 1, 6] * 20))
    assert most <= 10
    with budget.hold(99):
        pass
