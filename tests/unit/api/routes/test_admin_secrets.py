"""/v1/admin/rotate_key, and fabrics without a master key."""

import os

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from storage.repositories import secrets
from storage.tables import accounts
from tests.fixtures.vault import NEW, OLD, a_vault

FILE = "master.key"


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / FILE
    path.write_text(OLD)
    return path


@pytest.fixture
def settings(settings, key_file):
    return settings.model_copy(update={"master_key_file": key_file, "master_key": SecretStr("")})


@pytest.fixture
def admin(anonymous):
    client = anonymous.new_user("root")
    one = update(accounts).where(accounts.c.user_name == "root").values(role="admin")
    client.context.writer.run(lambda connection: connection.execute(one))
    # Who is called is remembered for a few seconds; a new gate knows of the role.
    client.app.state.gate = type(client.app.state.gate)(
        client.context.database, client.context.settings.secret_key.get_secret_value()
    )
    return client


def save(client, number):
    body = {"secret": {"id": f"s{number}", "secretType": "gcp"}, "secretKey": f"key {number}"}
    assert client.post("/v1/auth/secrets", json=body).status_code == 200


def test_a_new_key_in_the_file_counts_at_once_and_a_call_seals_all_anew(admin, ada, key_file, pack):
    for number in range(3):
        save(ada, number)
    config = {"container": "r.test/a", "private_image": True, "username": "u", "token": "swordfish"}
    assert ada.post("/v1/dev/apps", json={"data": pack(platform_config=config)}).status_code == 200
    key_file.write_text(f"{NEW}\n{OLD}")
    os.utime(key_file, ns=(1, 1))
    save(ada, 3)
    answer = admin.post("/v1/admin/rotate_key").json()
    assert answer == {
        "masterId": "new",
        "kinds": {
            "secrets": {"rewrapped": 3, "unreadable": 0},
            "registry_tokens": {"rewrapped": 1, "unreadable": 0},
            "inline_credentials": {"rewrapped": 0, "unreadable": 0},
        },
    }
    again = admin.post("/v1/admin/rotate_key").json()["kinds"]
    assert {it["rewrapped"] for it in again.values()} == {0}
    with ada.context.database.read() as connection:
        owner = connection.execute(accounts.select().where(accounts.c.user_name == "ada")).one().id
        rows = secrets.listed(connection, owner)
    assert [secrets.opened(a_vault(NEW), row).secret_key for row in rows] == [f"key {it}" for it in range(4)]


def test_a_lost_key_is_counted_and_stops_nothing(admin, ada, key_file):
    save(ada, 0)
    key_file.write_text(NEW)
    os.utime(key_file, ns=(1, 1))
    answer = admin.post("/v1/admin/rotate_key").json()
    assert answer["kinds"]["secrets"] == {"rewrapped": 0, "unreadable": 1}


def test_it_is_for_administrators(ada, anonymous):
    assert ada.post("/v1/admin/rotate_key").status_code == 403
    assert anonymous.post("/v1/admin/rotate_key").status_code == 401


class TestWithoutMasterKey:
    @pytest.fixture
    def key_file(self):
        return None

    def test_nothing_can_be_kept_and_the_answer_says_how(self, ada, pack):
        body = {"secret": {"id": "a", "secretType": "gcp"}, "secretKey": "swordfish"}
        answer = ada.post("/v1/auth/secrets", json=body)
        assert answer.status_code == 503
        assert "GRIDLOOM_MASTER_KEY_FILE" in answer.json()["message"]
        config = {"container": "r.test/a", "private_image": True, "username": "u", "token": "swordfish"}
        answer = ada.post("/v1/dev/apps", json={"data": pack(platform_config=config)})
        assert answer.status_code == 503
        assert "GRIDLOOM_MASTER_KEY_FILE" in answer.json()["message"]
        assert "swordfish" not in answer.text

    def test_all_else_works(self, ada, admin, pack):
        assert ada.get("/v1/auth/secrets").json() == {"secrets": []}
        assert ada.post("/v1/dev/apps", json={"data": pack()}).status_code == 200
        assert admin.post("/v1/admin/rotate_key").status_code == 503
