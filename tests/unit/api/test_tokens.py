import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from sqlalchemy import update

from api.tokens import TokenGate, derive_key, hash_key
from gridloom.errors import Unauthorized
from storage.db import Database
from storage.migrate import upgrade
from storage.repositories import accounts, api_keys, credentials
from storage.tables import accounts as account_table
from storage.tables import api_keys as key_table

SECRET = "s" * 32


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'gridloom.db'}")
    upgrade(database)
    with database.write() as connection:
        account_id = accounts.create_account(connection, "ada")
        api_keys.add(connection, account_id, name="k", key_hash=hash_key("glk_x"))
    yield database
    database.close()


@pytest.fixture
def gate(database):
    return TokenGate(database, SECRET)


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "bearer {}", "BEARER   {} ", " {} "])
def test_a_token_is_accepted_bare_and_with_bearer(gate, form):
    assert gate.caller(form.format(gate.exchange(" glk_x\n"))).user_name == "ada"


def test_an_unknown_key_is_refused(gate):
    with pytest.raises(Unauthorized):
        gate.exchange("glk_y")


def test_a_token_holds_account_key_and_an_hour(gate):
    claims = jwt.decode(gate.exchange("glk_x"), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3600
    assert {"sub", "kid", "jti"} <= claims.keys()


def test_broken_expired_and_foreign_tokens_are_refused(gate, database):
    claims = jwt.decode(gate.exchange("glk_x"), options={"verify_signature": False})
    key = derive_key(SECRET, "gridloom access token")
    forged = [
        "",
        "Bearer",
        "x.y.z",
        jwt.encode(claims | {"exp": int(time.time()) - 1}, key),
        jwt.encode(claims | {"sub": "someone else"}, key),
        jwt.encode({"sub": claims["sub"], "kid": claims["kid"]}, key),
        jwt.encode({it: claims[it] for it in claims if it != "kid"}, key),
        jwt.encode({it: claims[it] for it in claims if it != "jti"}, key),
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode(claims, SECRET),
        jwt.encode(claims, derive_key(SECRET, "gridloom link")),
        TokenGate(database, "t" * 32).exchange("glk_x"),
    ]
    for token in forged:
        with pytest.raises(Unauthorized):
            gate.caller(token)


@pytest.mark.parametrize(
    "change",
    [
        update(key_table).values(revoked_at=datetime.now(UTC)),
        update(account_table).values(disabled_at=datetime.now(UTC)),
        update(account_table).values(deleted_at=datetime.now(UTC)),
    ],
)
def test_what_another_process_stops_is_noticed_within_five_seconds(gate, database, monkeypatch, change):
    token = gate.exchange("glk_x")
    gate.caller(token)
    with database.write() as connection:
        connection.execute(change)
    with pytest.raises(Unauthorized):
        gate.exchange("glk_x")
    later = time.monotonic() + 5
    monkeypatch.setattr("api.tokens.time.monotonic", lambda: later)
    with pytest.raises(Unauthorized):
        gate.caller(token)


def test_a_signed_out_token_is_refused_at_once_here_and_within_five_seconds_elsewhere(
    gate, database, monkeypatch
):
    token, other, elsewhere = gate.exchange("glk_x"), gate.exchange("glk_x"), TokenGate(database, SECRET)
    caller = gate.caller(token)
    assert elsewhere.caller(token) == caller
    with database.write() as connection:
        credentials.end_token(connection, caller.token_id, caller.expires_at)
    gate.forget()
    with pytest.raises(Unauthorized):
        gate.caller(token)
    assert gate.caller(other)
    later = time.monotonic() + 5
    monkeypatch.setattr("api.tokens.time.monotonic", lambda: later)
    with pytest.raises(Unauthorized):
        elsewhere.caller(token)


def test_a_known_token_costs_no_query_and_never_outlives_itself(gate, database, monkeypatch):
    token = gate.exchange("glk_x")
    caller = gate.caller(token)
    monkeypatch.setattr(database, "read", None)
    assert gate.remembered(f"Bearer {token}") is gate.caller(token) is caller
    assert gate.remembered("other") is None
    key = derive_key(SECRET, "gridloom access token")
    monkeypatch.undo()
    claims = jwt.decode(token, options={"verify_signature": False})
    brief = jwt.encode(claims | {"exp": int(time.time()) + 2}, key)
    gate.caller(brief)
    later = time.monotonic() + 2
    monkeypatch.setattr("api.tokens.time.monotonic", lambda: later)
    assert gate.remembered(brief) is None


def test_what_is_read_while_something_is_revoked_is_not_remembered(gate, database, monkeypatch):
    token, check = gate.exchange("glk_x"), gate._check

    def slow(claims):
        caller = check(claims)
        gate.forget()
        return caller

    monkeypatch.setattr(gate, "_check", slow)
    gate.caller(token)
    assert gate.remembered(token) is None


def test_an_expired_key_is_refused(gate, database):
    token = gate.exchange("glk_x")
    with database.write() as connection:
        connection.execute(update(key_table).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(Unauthorized):
        gate.caller(token)
