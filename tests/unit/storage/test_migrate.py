import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from storage.db import Database
from storage.migrate import upgrade
from storage.tables import metadata


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.close()


# SQLite says nothing of an index over an expression; PostgreSQL does.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection:sqlalchemy.exc.SAWarning")
@pytest.mark.filterwarnings(
    "ignore:autogenerate skipping metadata-specified expression-based index:UserWarning"
)
def test_the_revisions_make_just_the_tables_that_the_code_expects(database):
    upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_upgrading_again_changes_nothing(database):
    upgrade(database)
    with database.write() as connection:
        connection.execute(text("INSERT INTO locks VALUES ('a', 'b', 1)"))
    upgrade(database)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM locks")).scalar() == 1


def test_processes_that_start_at_once_do_not_collide(database, database_url):
    others = [Database(database_url) for _ in range(3)]
    for it in others:  # SQLite turns to its write-ahead log at the first connection, which must be alone
        with it.read():
            pass
    threads = [threading.Thread(target=upgrade, args=[it]) for it in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for it in others:
        it.close()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1


def test_without_rowid_tables_are_made_so_on_sqlite(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'gridloom.db'}")
    upgrade(database)
    with database.read() as connection:
        made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'tasks'")).scalar()
    database.close()
    assert "WITHOUT ROWID" in made


def test_a_database_that_is_up_to_date_needs_no_alembic(database, monkeypatch):
    upgrade(database)
    monkeypatch.setitem(sys.modules, "storage.revisions", None)
    upgrade(database)
