import pytest

FULL = {
    "id": "video@v0.2",
    "description": "all of it",
    "app": "hello@1",
    "partitioner": "passthrough",
    "assembler": "zipper@1.0",
    "dataSource": {
        "dataSourceDescriptor": "s3",
        "params": {"bucketName": "b", "secret_id": "k", "secretKey": "swordfish"},
    },
    "dataDestination": {"dataSourceDescriptor": "bucket", "params": {}},
    "params": {"app": {"Case": "upper"}},
    "config": {"taskTimeout": 60, "isTestJob": True},
    "owner": "ignored",
}


def test_a_template_comes_back_as_it_was_sent(ada):
    assert ada.post("/v1/dev/templates", json=FULL).json()["ok"] is True
    answer = ada.get("/v1/dev/templates/video@v0.2")
    template = answer.json()
    for name in ("id", "description", "app", "partitioner", "assembler", "dataDestination"):
        assert template[name] == FULL[name]
    assert template["params"] == {"partitioner": {}, "app": {"Case": "upper"}, "assembler": {}}
    assert (template["config"]["taskTimeout"], template["config"]["isTestJob"]) == (60, True)
    assert (template["userName"], template["isPublic"]) == ("ada", False)
    assert template["dataSource"]["params"] == {"bucketName": "b", "secret_id": "k"}
    assert "swordfish" not in answer.text


def test_the_same_id_replaces(ada):
    ada.post("/v1/dev/templates", json=FULL)
    ada.post("/v1/dev/templates", json={"id": FULL["id"], "app": "other"})
    listed = ada.get("/v1/dev/templates").json()
    assert [it["app"] for it in listed["templates"]] == ["other"]
    assert listed["pagination"]["total"] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dataSource": {"dataSourceDescriptor": "bucket"}}, "bucket"),
        ({"dataDestination": {"dataSourceDescriptor": "url"}}, "url"),
        ({"data_destination": {"data_source_descriptor": "ftp"}}, "ftp"),
        ({"id": ""}, "id"),
        ({"app": "no tag"}, "no tag"),
    ],
)
def test_what_breaks_the_rules_is_named(ada, change, told):
    answer = ada.post("/v1/dev/templates", json={"id": "t"} | change)
    assert answer.status_code == 400
    assert told in answer.json()["message"]


def test_others_see_only_public_ones_and_can_delete_none(ada, bob):
    ada.post("/v1/dev/templates", json={"id": "private"})
    ada.post("/v1/dev/templates", json={"id": "public", "isPublic": True})
    assert bob.get("/v1/dev/templates/private").status_code == 404
    assert bob.get("/v1/dev/templates/public").json()["userName"] == "ada"
    assert [
        it["id"] for it in bob.get("/v1/dev/templates", params={"isPublic": "1"}).json()["templates"]
    ] == ["public"]
    assert bob.request("DELETE", "/v1/dev/templates/public").status_code == 404
    assert ada.request("DELETE", "/v1/dev/templates/public").json()["ok"] is True
    assert ada.get("/v1/dev/templates/public").status_code == 404


def test_publishing_is_for_the_owner_alone(ada, bob):
    ada.post("/v1/dev/templates", json={"id": "t"})
    for verb in ("publish", "unpublish"):
        assert bob.post(f"/v1/dev/templates/t/{verb}").status_code == 404
    assert ada.post("/v1/dev/templates/t/publish").json()["message"] == "public"
    assert bob.get("/v1/dev/templates/t").json()["isPublic"] is True
    ada.post("/v1/dev/templates", json={"id": "t", "app": "b"})
    assert bob.get("/v1/dev/templates/t").json()["app"] == "b"
    assert bob.post("/v1/dev/templates/t/unpublish").status_code == 404
    assert ada.post("/v1/dev/templates/t/unpublish").json()["message"] == "private"
    assert bob.get("/v1/dev/templates/t").status_code == 404


def test_older_clients_spell_members_as_they_like(ada):
    body = {
        "Id": "t",
        "DESCRIPTION": "d",
        "default_params": {"app": {"app_id": "a", "version": "1", "parameters": {"Case": "upper"}}},
        "data_source": {"data_source_descriptor": "aws", "params": {"bucket_name": "b"}},
        "config": {"taskTimeout": "3600", "job_timeout": ""},
        "partitioner": None,
    }
    assert ada.post("/v1/dev/templates", json=body).status_code == 200
    template = ada.get("/v1/dev/templates/t").json()
    assert template["params"]["app"] == {"Case": "upper"}
    assert (template["config"]["taskTimeout"], template["config"]["jobTimeout"]) == (3600, None)
    assert template["dataSource"] == {"dataSourceDescriptor": "aws", "params": {"bucket_name": "b"}}
    assert template["description"] == "d"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"config": {"taskTimeout": -1}}, "template.config.task_timeout"),
        ({"config": {"maxTaskRetries": "x"}}, "template.config.max_task_retries"),
        ({"params": {"app": 1}}, "template.params.app"),
        ({"dataSource": {"dataSourceDescriptor": 1}}, "dataSource.dataSourceDescriptor"),
        ({"assembler": "no tag"}, "template.assembler"),
        ({"description": "x" * 1_100_000}, "template"),
    ],
)
def test_the_member_at_fault_is_named(ada, change, field):
    answer = ada.post("/v1/dev/templates", json={"id": "t"} | change)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize("settings", [{"max_components": 2}], indirect=True)
def test_an_account_keeps_no_more_templates_than_it_may(ada, bob, pack):
    def store(template_id):
        return ada.post("/v1/dev/templates", json={"id": template_id, "app": "a"}).status_code

    assert [store(it) for it in ("a", "b", "c", "b")] == [200, 200, 403, 200]
    archive = pack({"template.json": {"id": "c", "app": "hello"}})
    assert ada.post("/v1/dev/apps", json={"data": archive}).status_code == 403
    assert bob.post("/v1/dev/templates", json={"id": "p", "app": "a", "isPublic": True}).status_code == 200
    assert ada.post("/v1/dev/templates/p/import", json={}).status_code == 403
    ada.request("DELETE", "/v1/dev/templates/a")
    assert store("c") == 200
