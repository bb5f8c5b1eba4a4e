import base64
import json

import pytest

from gridloom.archives import read_component
from tests.unit.api.routes.conftest import path_of

KEYS = {"master_key": "k:" + base64.b64encode(b"k" * 32).decode()}
PRIVATE = {
    "container": "registry.test/x",
    "private_image": True,
    "username": "adas-login",
    "token": "swordfish",
    "secrets": ["adas-key"],
}


def push(client, pack, what="apps", *, public=True, **members):
    row = client.post(f"/v1/dev/{what}", json={"data": pack(**members)}).json()
    client.post(f"/v1/dev/{what}/{row['id']}/activate")
    if public:
        assert client.post(f"/v1/dev/{what}/{row['id']}/publish").json()["message"] == "public"
    return row


def archive_of(client, link):
    return read_component(client.get(path_of(link)).content)


def same_but_for_the_id(*answers):
    bodies = [answer.json() | {"requestId": ""} for answer in answers]
    return len({json.dumps(body) for body in bodies}) == 1


def test_a_copy_is_private_and_inactive_with_a_revision_and_bytes_of_its_own(ada, bob, pack):
    original = push(ada, pack, description="says hello")
    ada.post("/v1/dev/apps", json={"data": pack(description="says more")})
    answer = bob.post("/v1/dev/apps/hello/import", json={"userName": "ada"})
    copy = answer.json()["app"]
    assert copy["id"] != original["id"]
    assert (copy["userName"], copy["status"], copy["isPublic"], copy["revision"]) == (
        "bob",
        "inactive",
        False,
        "1",
    )
    assert (copy["name"], copy["version"], copy["description"]) == ("hello", "0.1", "says more")
    ada.request("DELETE", "/v1/dev/apps/hello")
    assert archive_of(bob, copy["link"]).files["app/main.py"] == b"print('hello')"
    assert bob.get("/v1/dev/apps/hello").json()["app"]["userName"] == "bob"


def test_a_copy_may_have_another_name_which_its_manifest_tells_too(ada, bob, pack):
    push(ada, pack)
    copy = bob.post("/v1/dev/apps/ada/hello@0.1/import", json={"name": "greeter"}).json()["app"]
    assert (copy["name"], copy["version"]) == ("greeter", "0.1")
    assert json.loads(archive_of(bob, copy["link"]).files["manifest.json"])["name"] == "greeter"
    answer = bob.post("/v1/dev/apps/hello/import", json={"name": "no name"})
    assert (answer.status_code, "name" in answer.json()["message"]) == (400, True)


def test_nothing_is_copied_over_ones_own(ada, bob, pack):
    push(ada, pack)
    mine = bob.post("/v1/dev/apps", json={"data": pack(description="bob's")}).json()
    answer = bob.post("/v1/dev/apps/hello/import", json={"userName": "ada"})
    assert (answer.status_code, "already" in answer.json()["message"]) == (400, True)
    assert bob.get("/v1/dev/apps/hello").json()["app"]["hash"] == mine["hash"]


@pytest.mark.parametrize("what", ["apps", "engines", "templates"])
def test_what_is_private_is_as_absent_as_none(ada, bob, pack, what):
    if what == "templates":
        ada.post("/v1/dev/templates", json={"id": "hello"})
    else:
        push(ada, pack, what, public=False, type="app" if what == "apps" else "assembler")
    for verb in ("import", "publish", "unpublish"):
        there = bob.post(f"/v1/dev/{what}/hello/{verb}")
        assert there.status_code == 404
        assert (
            there.json()["message"].replace("hello", "none")
            == (bob.post(f"/v1/dev/{what}/none/{verb}").json()["message"])
        )
        ada.request("DELETE", f"/v1/dev/{what}/other")
    gone = bob.post(f"/v1/dev/{what}/hello/import")
    ada.request("DELETE", f"/v1/dev/{what}/hello")
    assert same_but_for_the_id(gone, bob.post(f"/v1/dev/{what}/hello/import"))
    assert bob.request("DELETE", f"/v1/dev/{what}/hello").status_code == 404


def test_an_engine_and_even_a_built_in_one_can_be_copied(ada, bob, pack):
    push(ada, pack, "engines", name="cutter", type="partitioner")
    copy = bob.post("/v1/dev/engines/cutter/import").json()
    assert (copy["type"], copy["userName"], copy["revision"], copy["status"]) == (
        "partitioner",
        "bob",
        1,
        "inactive",
    )
    assert bob.post("/v1/dev/apps/zipper/import", json={"name": "my-zipper"}).status_code == 200
    assert bob.get("/v1/dev/engines/my-zipper").json()["type"] == "assembler"


@pytest.mark.parametrize("settings", [KEYS], indirect=True)
def test_a_login_reaches_nobody_else_and_is_never_copied(ada, bob, pack):
    row = push(ada, pack, platform_config=PRIVATE)
    own = ada.get("/v1/dev/apps/hello").json()["app"]["platformConfig"]
    assert own == {
        "container": "registry.test/x",
        "privateImage": True,
        "username": "adas-login",
        "token": "",
        "secrets": ["adas-key"],
    }
    seen = [
        bob.get("/v1/dev/apps/ada/hello").text,
        bob.get("/v1/dev/apps", params={"isPublic": True}).text,
        str(archive_of(bob, bob.get("/v1/dev/apps/hello/download").json()["link"]).files),
    ]
    copied = bob.post(f"/v1/dev/apps/{row['id']}/import")
    assert copied.status_code == 200
    seen.append(copied.text)
    for text in seen:
        assert "swordfish" not in text
        assert "adas-login" not in text
    assert "adas-key" not in "".join(seen[:2])
    assert copied.json()["app"]["platformConfig"]["username"] == ""
    with bob.context.database.read() as connection:
        tokens = connection.exec_driver_sql("SELECT sealed_token FROM components WHERE owner_id IS NOT NULL")
        assert sorted(token is None for (token,) in tokens) == [False, True]


@pytest.mark.parametrize("settings", [{"max_components": 1}], indirect=True)
def test_a_copy_counts_for_the_quota(ada, bob, pack):
    push(ada, pack)
    bob.post("/v1/dev/apps", json={"data": pack(name="one")})
    answer = bob.post("/v1/dev/apps/hello/import")
    assert (answer.status_code, "most" in answer.json()["message"]) == (403, True)


def test_a_template_is_copied_without_credentials_and_private(ada, bob):
    source = {
        "dataSourceDescriptor": "s3",
        "params": {"bucketName": "b", "secret_id": "adas-key", "secretKey": "swordfish"},
    }
    ada.post("/v1/dev/templates", json={"id": "t", "app": "hello", "dataSource": source})
    assert ada.post("/v1/dev/templates/t/publish").json()["ok"] is True
    assert "adas-key" not in bob.get("/v1/dev/templates/t").text
    copy = bob.post("/v1/dev/templates/t/import", json={"userName": "ada", "name": "mine"}).json()
    assert (copy["id"], copy["userName"], copy["isPublic"], copy["app"]) == ("mine", "bob", False, "hello")
    assert copy["dataSource"]["params"] == {"bucketName": "b"}
    assert bob.post("/v1/dev/templates/t/import", json={"userName": "bob"}).status_code == 404
    answer = bob.post("/v1/dev/templates/t/import", json={"name": "mine"})
    assert (answer.status_code, "already" in answer.json()["message"]) == (400, True)
    assert bob.post("/v1/dev/templates/t/import", json={"name": "a/b"}).status_code == 400
