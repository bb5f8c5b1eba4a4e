from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from storage.db import Database
from storage.migrate import upgrade
from storage.repositories import accounts
from storage.tables import accounts as account_table
from storage.tables import api_keys

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def connection(database_url):
    database = Database(database_url)
    upgrade(database)
    with database.write() as connection:
        yield connection
    database.close()


def test_a_key_leads_to_its_account(connection):
    assert not accounts.any_account(connection)
    account_id = accounts.create_account(connection, "ada")
    key_id = accounts.add_key(connection, account_id, name="k", key_hash="h")
    assert accounts.any_account(connection)
    key = accounts.key_by_hash(connection, "h")
    assert (key.id, key.account_id, key.user_name) == (key_id, account_id, "ada")
    assert accounts.key_by_id(connection, key_id) == key
    assert accounts.key_by_hash(connection, "other") is None
    assert key.usable(NOW)


@pytest.mark.parametrize("table_and_column", [(api_keys, "revoked_at"), (account_table, "deleted_at")])
def test_a_revoked_key_or_deleted_account_is_not_usable(connection, table_and_column):
    account_id = accounts.create_account(connection, "ada")
    accounts.add_key(connection, account_id, name="k", key_hash="h")
    table, column = table_and_column
    connection.execute(update(table).values({column: NOW}))
    assert not accounts.key_by_hash(connection, "h").usable(NOW)


def test_a_key_ends_when_it_expires(connection):
    account_id = accounts.create_account(connection, "ada")
    accounts.add_key(connection, account_id, name="k", key_hash="h", expires_at=NOW)
    key = accounts.key_by_hash(connection, "h")
    assert key.usable(NOW - timedelta(seconds=1))
    assert not key.usable(NOW)
