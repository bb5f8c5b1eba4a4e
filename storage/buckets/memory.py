"""Bounds the memory that all calls on a bucket hold together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """So many bytes; whoever wants more than are left waits for others to let go."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = self._free = limit_bytes
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Hold bytes while inside; more than the limit counts as the limit."""
        count = min(count, self._limit)
        with self._freed:
            self._freed.wait_for(lambda: self._free >= count)
            self._free -= count
        try:
            yield
        finally:
            with self._freed:
                self._free += count
                self._freed.notify_all()
