"""Two processes that wait for each other: PostgreSQL ends one of their transactions, and nobody's call fails."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gridloom.settings import Settings
from gridloom.states import JobState
from scheduler import ending
from storage.conflicts import again_after_conflict, is_conflict
from storage.db import Database
from storage.group_commit import GroupCommitter
from storage.repositories import job_states
from tests.fixtures.fabric import Fabric


@pytest.fixture
def fabric(postgresql_tables: str) -> Iterator[Fabric]:
    with closing(Database(postgresql_tables)) as database:
        yield Fabric(database)


def set_patience(connection, patience):
    """Say how long a transaction waits for a lock before it looks for a deadlock; who looks first is ended."""
    connection.execute(text(f"SET LOCAL deadlock_timeout = '{patience}'"))


def until_one_waits(fabric):
    with fabric.database.read() as connection:
        while not connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
            time.sleep(0.01)


def test_a_call_that_is_ended_for_a_neighbour_process_is_made_again(fabric):
    """Another process's group ends one job of an owner and touches the next one, which this call ends meanwhile."""
    first, second = fabric.run(), fabric.run()
    calls = []

    def end_second(connection):
        calls.append(connection)
        job_states.lock(connection, [second])
        if len(calls) == 1:
            neighbour.submit(touch_both)
            until_one_waits(fabric)
            set_patience(connection, "10ms")
        return ending.abort(connection, second, Settings())

    def touch_both():
        with fabric.database.write() as connection:
            set_patience(connection, "1min")
            assert ending.abort(connection, first, Settings())
            job_states.set_warning(connection, second, "no machine is free")

    with ThreadPoolExecutor(1) as neighbour, closing(GroupCommitter(fabric.database)) as writer:
        assert writer.run(end_second)
        neighbour.shutdown()
    assert len(calls) == 2
    assert [fabric.state(it) for it in (first, second)] == [JobState.ABORTED] * 2
    assert fabric.job(second).warning == "no machine is free"


def test_what_conflicts_every_time_fails_in_the_end(fabric):
    calls = []

    def conflict():
        calls.append(1)
        with fabric.database.write() as connection:
            connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))

    with pytest.raises(DBAPIError) as found:
        again_after_conflict(conflict)
    assert is_conflict(found.value)
    assert len(calls) == 5


def test_another_error_is_no_conflict(fabric):
    with pytest.raises(DBAPIError) as found, fabric.database.read() as connection:
        connection.execute(text("SELECT 1 / 0"))
    assert not is_conflict(found.value)
    assert not is_conflict(ValueError())
