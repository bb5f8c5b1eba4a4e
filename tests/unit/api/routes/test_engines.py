import base64

import pytest

from api.routes import engines


def push(client, data):
    answer = client.post("/v1/dev/engines", json={"data": data})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_engine_is_answered_bare_with_a_number_as_revision(ada, pack):
    engine = push(ada, pack(name="cutter", type="partitioner"))
    assert (engine["name"], engine["type"], engine["status"], engine["revision"]) == (
        "cutter",
        "partitioner",
        "inactive",
        1,
    )
    assert engine["deletedAt"] is None


def test_the_archive_may_stand_under_either_name_or_in_the_query(ada, pack):
    data = pack(name="cutter", type="assembler")
    assert ada.post("/v1/dev/engines", json={"engineData": data}).json()["revision"] == 1
    assert ada.post("/v1/dev/engines", params={"engineData": data}).json()["revision"] == 2
    assert ada.post("/v1/dev/engines", json={"data": data}, params={"engineTag": "x"}).json()["revision"] == 3


def test_an_app_is_no_engine(ada, pack):
    answer = ada.post("/v1/dev/engines", json={"data": pack()})
    assert answer.status_code == 400
    assert "type" in answer.json()["message"]


def test_an_upload_without_an_archive_says_so(ada):
    answer = ada.post("/v1/dev/engines")
    assert answer.status_code == 400
    assert "data is missing" in answer.json()["message"]


def test_status_activate_and_deactivate_answer_the_engine_message(ada, pack):
    engine = push(ada, pack(name="cutter", type="partitioner"))
    told = ada.get("/v1/dev/engines/cutter/status").json()
    assert (told["engineId"], told["engineTag"], told["engineStatus"]) == (
        engine["id"],
        "cutter@0.1",
        "inactive",
    )
    assert ada.post("/v1/dev/engines/cutter@0/activate").json()["engineStatus"] == "active"
    assert ada.get("/v1/dev/engines/cutter").json()["status"] == "active"
    assert ada.post("/v1/dev/engines/cutter/deactivate").json()["engineStatus"] == "inactive"


def test_a_download_gives_the_archive_and_a_link(ada, pack):
    data = pack(name="cutter", type="partitioner")
    push(ada, data)
    told = ada.get("/v1/dev/engines/cutter/download").json()
    assert told["engineData"] == data
    fetched = ada.request("GET", told["engineLink"].removeprefix("http://fabric.test"))
    assert fetched.content == base64.b64decode(data)


def test_built_in_engines_are_listed_as_public_ones(ada, pack):
    push(ada, pack(name="cutter", type="partitioner"))
    assert [it["name"] for it in ada.get("/v1/dev/engines").json()["engines"]] == ["cutter"]
    public = ada.get("/v1/dev/engines", params={"isPublic": "true"}).json()["engines"]
    assert {"passthrough", "zipper"} <= {it["name"] for it in public}
    assert {it["userName"] for it in public} == {"gridloom"}


@pytest.mark.parametrize("verb", ["activate", "deactivate"])
def test_a_built_in_engine_belongs_to_nobody(ada, verb):
    answer = ada.post(f"/v1/dev/engines/zipper/{verb}")
    assert answer.status_code == 403
    assert "gridloom" in answer.json()["message"]


def test_ones_own_engine_goes_before_the_built_in(ada, bob, pack):
    push(ada, pack(name="zipper", type="assembler", version="0.1"))
    assert ada.get("/v1/dev/engines/zipper").json()["userName"] == "ada"
    assert bob.get("/v1/dev/engines/zipper").json()["userName"] == "gridloom"


def test_the_status_may_be_given_with_the_upload(ada, pack):
    data = pack(name="cutter", type="partitioner")
    active = ada.post("/v1/dev/engines", json={"data": data, "engineStatus": "ACTIVE"})
    assert active.json()["status"] == "active"
    assert push(ada, data)["status"] == "active"
    inactive = ada.post("/v1/dev/engines", params={"engineData": data, "engineStatus": "inactive"})
    assert inactive.json()["status"] == "inactive"
    assert ada.get("/v1/dev/engines/cutter/status").json()["engineStatus"] == "inactive"
    answer = ada.post("/v1/dev/engines", json={"data": data, "engineStatus": "lazy"})
    assert (answer.status_code, "engineStatus" in answer.json()["message"]) == (400, True)


@pytest.mark.parametrize("where", ["json", "params"])
def test_a_link_into_a_private_network_is_refused(ada, where):
    link = {"engineLink": "http://127.0.0.1:1/cutter.tar"}
    answer = ada.post("/v1/dev/engines", **{where: link})
    assert answer.status_code == 400
    assert answer.json()["details"][0]["fieldViolations"][0]["field"] == "engineLink"


def test_an_archive_is_fetched_by_its_link(ada, pack, monkeypatch):
    data = pack(name="cutter", type="partitioner")
    monkeypatch.setattr(engines, "fetch_archive", lambda url, settings: base64.b64decode(data))
    answer = ada.post("/v1/dev/engines", json={"engineLink": "https://example.test/cutter.tar"})
    assert (answer.json()["name"], answer.json()["hash"]) == ("cutter", push(ada, data)["hash"])


def test_older_clients_may_say_more_in_the_query(ada, pack):
    engine = push(ada, pack(name="cutter", type="partitioner"))
    query = {"engineId": engine["id"], "engineStatus": "x", "engineData": "", "engineLink": ""}
    for verb, path in (("GET", ""), ("GET", "/status"), ("GET", "/download"), ("POST", "/activate")):
        assert ada.request(verb, f"/v1/dev/engines/cutter{path}", params=query).status_code == 200


def test_publishing_and_deleting_answer_as_published(ada, bob, pack):
    engine = push(ada, pack(name="cutter", type="partitioner"))
    assert ada.post("/v1/dev/engines/cutter/publish").json()["message"] == "public"
    assert bob.get("/v1/dev/engines/cutter").json()["isPublic"] is True
    assert ada.post("/v1/dev/engines/cutter/unpublish").json()["message"] == "private"
    assert bob.get("/v1/dev/engines/cutter").status_code == 404
    assert bob.request("DELETE", "/v1/dev/engines/cutter").status_code == 404
    told = ada.request("DELETE", "/v1/dev/engines/cutter").json()
    assert (told["engineId"], told["engineTag"], told["engineStatus"]) == (
        engine["id"],
        "cutter@0.1",
        "deleted",
    )
    assert ada.get("/v1/dev/engines/cutter").status_code == 404
    assert ada.request("DELETE", "/v1/dev/engines/zipper").status_code == 403
