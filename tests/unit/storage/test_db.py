"""One engine, two kinds of transaction."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gridloom.errors import SetupFailed
from storage.db import Database
from storage.repositories import accounts
from tests.fixtures.fabric import database

__all__ = ["database"]


def test_a_write_that_raises_leaves_nothing(database):
    def work(connection):
        accounts.create_account(connection, "ada")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.write() as connection:
        work(connection)
    with database.read() as connection:
        assert not accounts.any_account(connection)


def test_a_write_is_seen_after_its_block(database):
    with database.write() as connection:
        accounts.create_account(connection, "ada")
        with database.read() as reader:
            assert not accounts.any_account(reader)
    with database.read() as connection:
        assert accounts.any_account(connection)


def test_what_is_read_is_never_committed(database):
    with database.read() as connection:
        accounts.create_account(connection, "ada")
    with database.read() as connection:
        assert not accounts.any_account(connection)


def test_writers_wait_for_each_other_instead_of_failing(database):
    def write(name):
        for number in range(20):
            with database.write() as connection:
                accounts.any_account(connection)
                accounts.create_account(connection, f"{name}{number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 60


def test_commits_survive_a_power_cut(database):
    with database.read() as connection:
        if database.is_sqlite:
            found = [
                connection.exec_driver_sql(f"PRAGMA {it}").scalar() for it in ("journal_mode", "synchronous")
            ]
            assert found == ["wal", 2]
        else:
            level = connection.execute(text("SHOW transaction_isolation")).scalar_one()
            assert level == "read committed"


def test_references_are_checked(database):
    with pytest.raises(Exception, match=r"FOREIGN KEY|foreign key"), database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO tasks (job_id, stage, chunk, state, created_at) VALUES ('none', 'app', 0, 'Scheduled', 0)"
        )


@pytest.mark.parametrize("url", ["mysql://host/name", "oracle://host"])
def test_another_database_is_refused_by_name(url):
    with pytest.raises(SetupFailed, match="GRIDLOOM_DATABASE_URL"):
        Database(url)


def test_a_look_sees_what_was_committed_before_it_and_leaves_no_transaction_open(database):
    assert not database.look(accounts.any_account)
    with database.write() as connection:
        accounts.create_account(connection, "ada")
        assert not database.look(accounts.any_account)
    assert database.look(accounts.any_account)


def test_a_look_that_fails_does_not_spoil_the_next(database):
    with pytest.raises(DBAPIError):
        database.look(lambda connection: connection.execute(text("SELECT * FROM nothing")))
    assert not database.look(accounts.any_account)


def test_looks_from_many_threads_take_turns(database):
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(lambda _: database.look(accounts.any_account), range(40)))
