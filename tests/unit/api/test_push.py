import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from api.app import close_context, open_context
from api.push import decode_base64, push_component
from gridloom.errors import BadArchive
from storage.repositories import accounts as account_rows
from storage.repositories import components, registry_tokens
from storage.tables import accounts
from storage.tables import components as component_table
from storage.vault import Sealed
from tests.fixtures.stale import noted, sweep_later

KEYS = {"master_key": "k:" + base64.b64encode(b"k" * 32).decode()}

DATA = bytes(range(256))


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
@pytest.mark.parametrize("strip", ["", "="])
def test_every_usual_base64_is_read(encode, strip):
    assert decode_base64(encode(DATA).decode().rstrip(strip or " ")) == DATA


@pytest.mark.parametrize("text", ["!", "A", "AAAAA", "ä", "AA=A"])
def test_other_text_is_refused(text):
    with pytest.raises(BadArchive, match="base64"):
        decode_base64(text)


def private(token="swordfish", **changes):
    return {"container": "registry.test/x", "privateImage": True, "username": "u", "token": token} | changes


def sealed(client):
    with client.context.database.read() as connection:
        ada = connection.execute(accounts.select().where(accounts.c.user_name == "ada")).one().id
        row = components.find(connection, ada, "app", "hello", (0, 1))
        if row.sealed_token is None:
            return None
        kept = Sealed(envelope=row.sealed_token, master_id=row.token_master_id)
        return registry_tokens.opened(client.context.vault, kept, row.owner_id, row.id, row.revision)


@pytest.mark.parametrize("settings", [KEYS], indirect=True)
def test_a_login_is_kept_out_of_the_stored_archive_but_the_hash_is_that_of_the_upload(ada, pack):
    data = pack(platform_config=private())
    app = ada.post("/v1/dev/apps", json={"data": data}).json()
    assert app["hash"] == base64.b64encode(hashlib.sha256(base64.b64decode(data)).digest()).decode()
    [stored] = [it.key for it in ada.context.store.list("components") if app["id"] in it.key]
    assert b"swordfish" not in ada.context.store.get_bytes(stored)
    assert sealed(ada) == "swordfish"


@pytest.mark.parametrize("settings", [KEYS], indirect=True)
@pytest.mark.parametrize(
    ("config", "kept"),
    [
        (private("", username=""), "swordfish"),
        (private(""), "swordfish"),
        (private("other"), "other"),
        (private("", username="v"), None),
        (private("", container="elsewhere.test/x"), None),
        (private("", privateImage=False), None),
    ],
)
def test_an_upload_without_login_keeps_the_one_for_the_same_registry_and_user(ada, pack, config, kept):
    ada.post("/v1/dev/apps", json={"data": pack(platform_config=private())})
    ada.post("/v1/dev/apps", json={"data": pack(platform_config=config)})
    assert sealed(ada) == kept


@pytest.mark.parametrize("settings", [{"max_components": 2}], indirect=True)
def test_an_account_keeps_no_more_components_than_it_may(ada, bob, pack):
    def push(version):
        return ada.post("/v1/dev/apps", json={"data": pack(version=version)}).status_code

    assert [push(version) for version in ("0.1", "0.2", "0.3", "0.2")] == [200, 200, 403, 200]
    assert bob.post("/v1/dev/apps", json={"data": pack()}).status_code == 200
    ada.request("DELETE", "/v1/dev/apps/hello@0.1")
    assert push("0.3") == 200


def push(client, pack, text="", version="0.1"):
    data = pack({"app/main.py": f"print({text!r})"}, version=version)
    return client.post("/v1/dev/apps", json={"data": data})


def archives(context):
    """Return the stored archives, and those that a component names."""
    live = select(component_table.c.archive_key).where(component_table.c.deleted_at.is_(None))
    with context.database.read() as connection:
        named = set(connection.execute(live).scalars())
    return {it.key for it in context.store.list("components")}, named


def check_tidy(context):
    while sweep_later(context.database, context.store):
        pass
    stored, named = archives(context)
    assert stored == named
    assert noted(context.database) == {}


def test_pushing_and_deleting_in_a_loop_leaves_only_what_is_named(ada, pack):
    before, _ = archives(ada.context)
    for turn in range(3):
        for text in ("one", "two", "two"):
            assert push(ada, pack, text).status_code == 200
        if turn < 2:
            assert ada.request("DELETE", "/v1/dev/apps/hello").status_code == 200
    stored, _ = archives(ada.context)
    assert len(stored - before) == 9
    check_tidy(ada.context)
    stored, _ = archives(ada.context)
    assert len(stored - before) == 1


def test_the_same_bytes_pushed_again_stay(ada, pack):
    first = push(ada, pack).json()
    ada.request("DELETE", "/v1/dev/apps/hello")
    again = push(ada, pack).json()
    assert push(ada, pack).json()["hash"] == again["hash"] == first["hash"]
    check_tidy(ada.context)
    with ada.context.database.read() as connection:
        query = select(component_table.c.archive_key).where(component_table.c.id == again["id"])
        key = connection.execute(query).scalar_one()
    assert hashlib.sha256(ada.context.store.get_bytes(key)).digest() == base64.b64decode(again["hash"])


def test_what_a_crash_left_between_its_bytes_and_its_row_goes_later(ada, pack, monkeypatch):
    push(ada, pack, "one")
    before, _ = archives(ada.context)
    with monkeypatch.context() as patch:
        patch.setattr(components, "save", lambda *_: 1 / 0)
        assert push(ada, pack, "two").status_code == 500
    stored, _ = archives(ada.context)
    assert len(stored - before) == 1
    check_tidy(ada.context)
    assert archives(ada.context)[0] == before


@contextmanager
def control_plane(settings):
    context = open_context(settings)
    try:
        yield context
    finally:
        close_context(context)


def test_two_control_planes_that_push_at_the_same_time_lose_and_leave_nothing(settings, pack):
    packs = [base64.b64decode(pack({"app/main.py": f"print({it})"})) for it in range(6)]
    with control_plane(settings) as one, control_plane(settings) as two:
        owner = one.writer.run(lambda connection: account_rows.create_account(connection, "ada"))

        def pushed(turn):
            context = (one, two)[turn % 2]
            return push_component(context, owner, packs[turn], ["app"])

        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(pushed, range(6)))
        assert len({row.id for row in rows}) == 1
        assert max(row.revision for row in rows) == 6
        check_tidy(two)
        with two.database.read() as connection:
            assert components.find(connection, owner, "app", "hello", (0, 1)).revision == 6
