from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from storage.repositories import accounts, api_keys, credentials
from storage.tables import accounts as account_table
from storage.tables import api_keys as key_table
from storage.tables import ended_tokens

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def account_id(connection):
    return accounts.create_account(connection, "ada")


def test_a_key_leads_to_its_account(connection, account_id):
    key_id = api_keys.add(connection, account_id, name="k", key_hash="h")
    key = credentials.key_by_hash(connection, "h")
    assert (key.id, key.account_id, key.user_name, key.role) == (key_id, account_id, "ada", "user")
    assert credentials.of_token(connection, "t", key_id=key_id) == key
    assert credentials.key_by_hash(connection, "other") is None
    assert key.usable(NOW)


@pytest.mark.parametrize(
    "table_and_column",
    [(key_table, "revoked_at"), (account_table, "deleted_at"), (account_table, "disabled_at")],
)
def test_a_revoked_key_or_stopped_account_is_not_usable(connection, account_id, table_and_column):
    api_keys.add(connection, account_id, name="k", key_hash="h")
    table, column = table_and_column
    connection.execute(update(table).values({column: NOW}))
    assert not credentials.key_by_hash(connection, "h").usable(NOW)


def test_a_key_ends_when_it_expires(connection, account_id):
    api_keys.add(connection, account_id, name="k", key_hash="h", expires_at=NOW)
    key = credentials.key_by_hash(connection, "h")
    assert key.usable(NOW - timedelta(seconds=1))
    assert not key.usable(NOW)


def test_a_token_that_was_signed_out_leads_nowhere_and_its_mark_goes_when_it_has_expired(
    connection, account_id
):
    key_id = api_keys.add(connection, account_id, name="k", key_hash="h")
    for token_id, hours in (("old", -1), ("new", 1), ("new", 1)):
        credentials.end_token(connection, token_id, datetime.now(UTC) + timedelta(hours=hours))
    assert credentials.of_token(connection, "new", key_id=key_id) is None
    assert credentials.of_token(connection, "other", key_id=key_id) is not None
    assert credentials.sweep(connection) == 1
    assert connection.execute(select(ended_tokens.c.id)).scalars().all() == ["new"]
