from datetime import UTC, datetime, timedelta

import pytest

from storage.repositories import accounts, sessions

LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def ada(connection):
    return accounts.create_account(connection, "ada")


@pytest.fixture
def session_id(connection, ada):
    return sessions.create(connection, ada, client="cli", secret_hash="old", expires_at=LATER)


def test_a_session_is_found_by_its_clients_secret_alone(connection, ada, session_id):
    found = sessions.by_secret(connection, "cli", "old")
    assert (found.id, found.account_id, found.user_name) == (session_id, ada, "ada")
    assert sessions.by_secret(connection, "cli", "other") is None
    assert sessions.by_secret(connection, "browser", "old") is None
    assert accounts.by_id(connection, ada).last_login_at is not None


@pytest.mark.parametrize("column", ["disabled_at", "deleted_at"])
def test_a_stopped_accounts_session_is_not_found(connection, ada, session_id, column):
    accounts.change(connection, ada, {column: datetime.now(UTC)})
    assert sessions.by_secret(connection, "cli", "old") is None


def test_a_secret_is_replaced_once(connection, session_id):
    assert sessions.rotate(connection, session_id, "old", "new", LATER)
    assert not sessions.rotate(connection, session_id, "old", "newer", LATER)
    assert sessions.by_secret(connection, "cli", "old") is None
    assert sessions.by_secret(connection, "cli", "new").id == session_id


def test_a_revoked_session_is_over_and_another_client_cant_revoke_it(connection, session_id):
    assert not sessions.revoke(connection, session_id, client="browser")
    assert sessions.revoke(connection, session_id)
    assert not sessions.revoke(connection, session_id)
    assert sessions.by_secret(connection, "cli", "old") is None


def test_an_expired_session_is_not_found_and_swept(connection, ada, session_id):
    past = datetime.now(UTC) - timedelta(seconds=1)
    sessions.create(connection, ada, client="cli", secret_hash="past", expires_at=past)
    assert sessions.by_secret(connection, "cli", "past") is None
    assert sessions.sweep(connection) == 1
    assert sessions.by_secret(connection, "cli", "old") is not None


def test_the_oldest_of_too_many_sessions_end(connection, ada, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    for secret in ("first", "second", "third"):
        sessions.create(connection, ada, client="cli", secret_hash=secret, expires_at=LATER)
    found = [sessions.by_secret(connection, "cli", it) is not None for it in ("first", "second", "third")]
    assert found == [False, True, True]
