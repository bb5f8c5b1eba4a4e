"""Writes share a transaction, and nobody pays for a neighbour but in time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import select

from gridloom.errors import LeaseLost, Unavailable
from storage.group_commit import GroupCommitter
from storage.tables import locks
from tests.fixtures.fabric import database

__all__ = ["database"]


@pytest.fixture
def writer(database):
    with closing(GroupCommitter(database)) as found:
        yield found


def add_row(name):
    def work(connection):
        connection.exec_driver_sql(f"INSERT INTO locks (name, holder, until) VALUES ('{name}', 'h', 0)")
        return name

    return work


def names(database):
    with database.read() as connection:
        return set(connection.execute(select(locks.c.name)).scalars())


class Held:
    """Keeps the writer busy, so that what comes meanwhile becomes one group."""

    def __init__(self, writer):
        self.began, self.go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=writer.run, args=(self._work,))
        self._thread.start()
        self.began.wait(10)

    def _work(self, _connection):
        self.began.set()
        self.go.wait(10)

    def release(self):
        self.go.set()
        self._thread.join()


def test_an_answer_comes_after_the_commit(database, writer):
    assert writer.run(add_row("a")) == "a"
    assert names(database) == {"a"}


def test_writes_that_wait_share_one_transaction(database, writer):
    held, seen = Held(writer), []

    def work(connection):
        seen.append(connection)

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(writer.run, work) for _ in range(8)]
        while writer._queue.qsize() < 8:
            pass
        held.release()
        for one in waiting:
            one.result(10)
    assert len(set(map(id, seen))) == 1


def test_one_that_raises_is_rolled_back_alone(database, writer):
    held = Held(writer)

    def broken(connection):
        add_row("broken")(connection)
        raise LeaseLost("late")

    with ThreadPoolExecutor(3) as pool:
        good = [pool.submit(writer.run, add_row(name)) for name in "ab"]
        bad = pool.submit(writer.run, broken)
        while writer._queue.qsize() < 3:
            pass
        held.release()
        assert [one.result(10) for one in good] == ["a", "b"]
        assert isinstance(bad.exception(10), LeaseLost)
    assert names(database) == {"a", "b"}


def test_a_broken_statement_leaves_the_next_writer_alone(database, writer):
    writer.run(add_row("a"))
    with pytest.raises(Exception, match=r"UNIQUE|unique"):
        writer.run(add_row("a"))
    assert writer.run(add_row("b")) == "b"


def test_closing_finishes_what_waits_and_refuses_what_comes_later(database):
    writer = GroupCommitter(database)
    held = Held(writer)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(writer.run, add_row("a"))
        while writer._queue.qsize() < 1:
            pass
        closing_it = pool.submit(writer.close)
        held.release()
        assert waiting.result(10) == "a"
        closing_it.result(10)
    with pytest.raises(Unavailable):
        writer.run(add_row("b"))
    writer.close()
