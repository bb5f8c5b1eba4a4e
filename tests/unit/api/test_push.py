import base64
import hashlib

import pytest

from api.push import decode_base64
from gridloom.errors import BadArchive
from storage.repositories import components, registry_tokens
from storage.tables import accounts
from storage.vault import Sealed

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
