"""Group commit: writes that arrive together share one transaction.

A commit costs a flush to disk whatever it holds. Callers hand in functions; one thread runs those that wait inside
a single transaction and answers each after the commit. When one of them raises, the group is rolled back and its
members run again alone, so nobody pays for a neighbour's error but in time. A member that even alone is ended for
the sake of another process's transaction runs again a few times.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection

from gridloom.errors import Unavailable
from storage.conflicts import again_after_conflict
from storage.db import Database

Answer = TypeVar("Answer")
_Work = tuple[Callable[[Connection], Any], "Future[Any]"]

_GROUP_MAX = 64


class GroupCommitter:
    """Runs write functions on one thread of its own, grouped."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._closed = False
        self._door = threading.Lock()  # nothing is queued behind the mark that ends the queue
        self._thread = threading.Thread(target=self._loop, name="group-commit", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Connection], Answer]) -> Answer:
        """Run `work` in a write transaction and return its answer once that is committed.

        `work` may be called several times and must touch nothing but the connection; what it raises is raised here.

        Raises:
            Unavailable: after `close`.
        """
        future: Future[Answer] = Future()
        with self._door:
            if self._closed:
                raise Unavailable("the control plane is stopping")
            self._queue.put((work, future))
        return future.result()

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            group, last = [first], False
            while len(group) < _GROUP_MAX and not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    last = True
                    break
                group.append(item)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Work]) -> None:
        try:
            answers = self._run(group) if len(group) > 1 else again_after_conflict(self._run, group)
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who waits for it
            if len(group) == 1:
                group[0][1].set_exception(error)
                return
            for member in group:
                self._commit([member])
            return
        for (_, future), answer in zip(group, answers, strict=True):
            future.set_result(answer)

    def _run(self, group: list[_Work]) -> list[Any]:
        with self._database.write() as connection:
            return [work(connection) for work, _ in group]
