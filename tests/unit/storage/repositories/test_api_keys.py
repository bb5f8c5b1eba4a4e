from datetime import UTC, datetime, timedelta

import pytest

from storage.repositories import accounts, api_keys


@pytest.fixture
def ada(connection):
    return accounts.create_account(connection, "ada")


@pytest.fixture
def bob(connection):
    return accounts.create_account(connection, "bob")


def test_a_list_holds_the_accounts_own_keys_the_newest_first(connection, ada, bob):
    first, second = (api_keys.add(connection, ada, name=it, key_hash=it) for it in ("a", "b"))
    api_keys.add(connection, bob, name="c", key_hash="c")
    api_keys.revoke(connection, ada, first)
    rows = api_keys.listed(connection, ada)
    assert [(row.id, row.revoked_at is None) for row in rows] == [(second, True), (first, False)]


def test_only_the_owner_revokes_a_key_and_the_first_time_stays(connection, ada, bob):
    key_id = api_keys.add(connection, ada, name="a", key_hash="a")
    assert not api_keys.revoke(connection, bob, key_id)
    assert api_keys.find(connection, ada, key_id).revoked_at is None
    assert api_keys.revoke(connection, ada, key_id)
    revoked_at = api_keys.find(connection, ada, key_id).revoked_at
    assert api_keys.revoke(connection, ada, key_id)
    assert api_keys.find(connection, ada, key_id).revoked_at == revoked_at


def test_a_key_that_lets_in_is_never_hidden_by_newer_ones(connection, ada, monkeypatch):
    monkeypatch.setattr(api_keys, "MOST_KEYS", 2)
    past = datetime.now(UTC) - timedelta(seconds=1)
    first = api_keys.add(connection, ada, name="a", key_hash="a")
    for name in ("b", "c"):
        api_keys.add(connection, ada, name=name, key_hash=name, expires_at=past)
    assert [row.name for row in api_keys.listed(connection, ada)] == ["a", "c"]
    assert api_keys.count_good(connection, ada) == 1
    api_keys.revoke(connection, ada, first)
    assert api_keys.count_good(connection, ada) == 0
