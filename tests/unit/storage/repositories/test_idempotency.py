from dataclasses import replace

import pytest
from sqlalchemy import update

from gridloom.errors import Conflict
from storage.columns import db_after
from storage.repositories import accounts, idempotency
from storage.repositories.idempotency import Asked
from storage.tables import idempotency_keys


@pytest.fixture
def asked(connection):
    return Asked(owner_id=accounts.create_account(connection, "ada"), key_hash="k", request_hash="r")


def test_the_first_call_under_a_key_gives_its_job_to_all(connection, asked):
    assert idempotency.found(connection, asked) is None
    assert idempotency.take(connection, asked, "one") == "one"
    assert idempotency.take(connection, asked, "two") == "one"
    assert idempotency.found(connection, asked) == "one"
    bob = replace(asked, owner_id=accounts.create_account(connection, "bob"), request_hash="other")
    assert idempotency.found(connection, bob) is None


def test_another_call_under_the_key_is_refused(connection, asked):
    idempotency.take(connection, asked, "one")
    for call in (idempotency.found, lambda *args: idempotency.take(*args, "two")):
        with pytest.raises(Conflict):
            call(connection, replace(asked, request_hash="other"))


def test_a_key_is_new_again_after_a_day(connection, asked):
    idempotency.take(connection, asked, "one")
    assert idempotency.forget_old(connection) == 0
    connection.execute(update(idempotency_keys).values(created_at=db_after(-idempotency.KEPT_S - 1)))
    assert idempotency.found(connection, asked) is None
    assert idempotency.take(connection, replace(asked, request_hash="other"), "two") == "two"
    connection.execute(update(idempotency_keys).values(created_at=db_after(-idempotency.KEPT_S - 1)))
    assert idempotency.forget_old(connection) == 1
