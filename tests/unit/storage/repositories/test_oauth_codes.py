from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from storage.repositories import accounts, oauth_codes
from storage.repositories.oauth_codes import CODE, DEVICE, NewCode
from storage.tables import oauth_codes as table


@pytest.fixture
def ada(connection):
    return accounts.create_account(connection, "ada")


def add(connection, code_hash, kind=CODE, expires_at=None, **values):
    later = expires_at or datetime.now(UTC) + timedelta(minutes=1)
    new = NewCode(code_hash=code_hash, kind=kind, client_id="cli", expires_at=later, **values)
    oauth_codes.add(connection, new)


def test_a_code_is_found_by_its_kind_and_client_and_used_once(connection, ada):
    add(connection, "h", account_id=ada)
    assert oauth_codes.find(connection, CODE, "cli", "h").account_id == ada
    assert oauth_codes.find(connection, DEVICE, "cli", "h") is None
    assert oauth_codes.find(connection, CODE, "other", "h") is None
    assert oauth_codes.use(connection, "h")
    assert not oauth_codes.use(connection, "h")


def test_a_disabled_accounts_code_cant_be_used(connection, ada):
    add(connection, "h", account_id=ada)
    accounts.change(connection, ada, {"disabled_at": datetime.now(UTC)})
    assert not oauth_codes.use(connection, "h")


@pytest.mark.parametrize("allow", [True, False])
def test_a_device_code_waits_until_somebody_decides(connection, ada, allow):
    add(connection, "h", DEVICE, user_code="BCDF")
    assert not oauth_codes.use(connection, "h")
    assert oauth_codes.waiting(connection, "BCDF").client_id == "cli"
    assert oauth_codes.decide(connection, "BCDF", ada, allow=allow)
    assert oauth_codes.waiting(connection, "BCDF") is None
    assert not oauth_codes.decide(connection, "BCDF", ada, allow=not allow)
    row = oauth_codes.find(connection, DEVICE, "cli", "h")
    assert (row.account_id == ada, row.denied) == (allow, not allow)


def test_an_expired_device_code_waits_for_nobody(connection, ada):
    add(connection, "h", DEVICE, datetime.now(UTC) - timedelta(seconds=1), user_code="BCDF")
    assert not oauth_codes.decide(connection, "BCDF", ada, allow=True)


def test_codes_are_swept_a_day_after_they_expired(connection, ada):
    for code_hash, hours in (("old", 25), ("fresh", 1)):
        add(connection, code_hash, expires_at=datetime.now(UTC) - timedelta(hours=hours), account_id=ada)
    assert oauth_codes.sweep(connection) == 1
    assert connection.execute(select(table.c.code_hash)).scalars().all() == ["fresh"]


def test_the_second_of_two_redemptions_at_once_waits_for_the_first(database):
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    with database.write() as connection:
        add(connection, "h", account_id=accounts.create_account(connection, "ada"))
    with database.write() as first, database.write() as second:
        assert oauth_codes.find(first, CODE, "cli", "h") is not None
        second.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(OperationalError):
            oauth_codes.find(second, CODE, "cli", "h")
        second.rollback()
