from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from storage.repositories import codes
from storage.tables import one_time_codes

LATER = datetime.now(UTC) + timedelta(hours=1)
ADA = "ada@example.test"


@pytest.fixture
def save(connection):
    """Return a function that saves a code as if the last one were a minute old."""

    def saved(code: str, until: datetime = LATER) -> bool:
        earlier = datetime.now(UTC) - 2 * codes.PAUSE
        connection.execute(update(one_time_codes).values(created_at=earlier))
        return codes.save(connection, ADA, "login", code, until)

    return saved


@pytest.fixture
def take(connection):
    return lambda code, purpose="login", email=ADA: codes.take(connection, email, purpose, code)


def test_a_code_is_good_once_and_for_its_purpose_and_mailbox_alone(save, take):
    assert save("right")
    assert not take("right", "api_key")
    assert not take("right", email="bob@example.test")
    assert take("right")
    assert not take("right")


def test_a_newer_code_replaces_the_older(save, take):
    save("old")
    assert save("new")
    assert not take("old")
    assert take("new")


def test_an_expired_code_is_not_good(save, take):
    save("late", datetime.now(UTC) - timedelta(seconds=1))
    assert not take("late")


def test_five_tries_are_all_however_many_codes_are_asked_for(save, take):
    tried = 0
    for number in range(10):
        save(f"code {number}")
        for _ in range(2):
            take("guess")
            tried += 1
    assert tried > codes.MOST_TRIES
    assert not save("another")
    assert not take("another")
    assert not take("code 9")


def test_after_the_last_code_expired_a_new_one_has_all_its_tries(connection, save, take):
    save("old")
    for _ in range(codes.MOST_TRIES):
        take("guess")
    connection.execute(update(one_time_codes).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert save("new")
    for _ in range(codes.MOST_TRIES - 1):
        take("guess")
    assert take("new")


def test_asking_twice_in_a_moment_changes_nothing(connection, save, take):
    save("first")
    assert not codes.save(connection, ADA, "login", "second", LATER)
    assert take("first")


def test_expired_codes_are_swept(connection, save):
    save("late", datetime.now(UTC) - timedelta(seconds=1))
    codes.save(connection, "bob@example.test", "login", "good", LATER)
    assert codes.sweep(connection) == 1
    assert connection.execute(select(one_time_codes.c.code_hash)).scalars().all() == ["good"]
