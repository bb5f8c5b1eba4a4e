import base64
import hashlib
import io
import tarfile

import pytest

from tests.unit.api.routes.test_jobs import row_of

KEYS = {"master_key": "k:" + base64.b64encode(b"k" * 32).decode()}


def push(client, pack, files=None, **manifest):
    answer = client.post("/v1/dev/apps", json={"data": pack(files, **manifest)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_new_app_is_inactive_and_has_every_published_member(ada, pack):
    data = pack(deviceRequirements={"min_cpu": 2, "min_memory": 1.5}, description="says hello")
    app = ada.post("/v1/dev/apps", json={"data": data}).json()
    assert (app["name"], app["version"], app["status"], app["revision"]) == ("hello", "0.1", "inactive", "1")
    assert app["hash"] == base64.b64encode(hashlib.sha256(base64.b64decode(data)).digest()).decode()
    assert app["deviceRequirements"] == {"minCpu": 2.0, "minMemory": 1.5, "gpu": []}
    assert (app["userName"], app["description"], app["entrypoint"]) == ("ada", "says hello", "main.py")
    assert app["createdAt"].endswith("Z")


def test_pushing_a_version_again_keeps_id_and_state_and_raises_the_revision(ada, pack):
    first = push(ada, pack)
    ada.post("/v1/dev/apps/hello/activate")
    second = push(ada, pack, description="changed")
    assert (second["id"], second["createdAt"]) == (first["id"], first["createdAt"])
    assert (second["revision"], second["status"]) == ("2", "active")
    assert second["hash"] != first["hash"]
    assert second["updatedAt"] > first["updatedAt"]


def test_another_version_is_another_record(ada, pack):
    assert push(ada, pack)["id"] != push(ada, pack, version="0.2")["id"]
    assert ada.get("/v1/dev/apps").json()["pagination"]["total"] == 2


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("hello", "1.2"),
        ("hello@0", "0.10"),
        ("hello@0.9", "0.9"),
        ("hello@v1", "1.2"),
        ("ada/hello@0.9", "0.9"),
    ],
)
def test_a_tag_leads_to_the_newest_version_that_fits(ada, pack, tag, version):
    for it in ("0.9", "0.10", "1.2"):
        push(ada, pack, version=it)
    assert ada.get(f"/v1/dev/apps/{tag}").json()["app"]["version"] == version
    assert ada.get(f"/v1/dev/apps/{tag}/status").json()["message"] == "inactive"


def test_an_id_is_a_tag_too(ada, pack):
    app = push(ada, pack)
    assert ada.get(f"/v1/dev/apps/{app['id']}").json()["app"] | {"link": app["link"]} == app


def test_activate_and_deactivate_change_the_status(ada, pack):
    push(ada, pack)
    assert ada.post("/v1/dev/apps/hello/activate").json()["ok"] is True
    assert ada.get("/v1/dev/apps/hello/status").json()["message"] == "active"
    assert ada.post("/v1/dev/apps/hello/deactivate", json={}).json()["message"] == "inactive"
    assert ada.get("/v1/dev/apps/hello").json()["app"]["status"] == "inactive"


def test_the_template_in_the_archive_is_stored_with_the_app(ada, pack):
    push(ada, pack, {"template.json": {"id": "hello-template", "app": "hello@0.1"}})
    assert ada.get("/v1/dev/templates/hello-template").json()["app"] == "hello@0.1"


def test_a_bad_template_keeps_the_app_out_as_well(ada, pack):
    files = {"template.json": {"id": "t", "dataSource": {"dataSourceDescriptor": "bucket"}}}
    answer = ada.post("/v1/dev/apps", json={"data": pack(files)})
    assert answer.status_code == 400
    assert "bucket" in answer.json()["message"]
    assert ada.get("/v1/dev/apps").json()["apps"] == []


def test_an_engine_pushed_as_an_app_is_found_both_ways(ada, pack):
    push(ada, pack, type="partitioner", name="cutter")
    assert ada.get("/v1/dev/engines/cutter").json()["type"] == "partitioner"
    assert ada.post("/v1/dev/apps/cutter/activate").status_code == 200
    assert ada.get("/v1/dev/engines/cutter/status").json()["engineStatus"] == "active"
    assert ada.get("/v1/dev/apps").json()["apps"] == []


def test_an_archive_may_be_compressed_and_lie_below_one_folder(ada, pack):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in (
            ("x/manifest.json", b'{"Name":"hello","Version":"1.0",}'),
            ("x/app/main.py", b""),
        ):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    data = base64.b64encode(packed.getvalue()).decode()
    assert ada.post("/v1/dev/apps", json={"data": data}).json()["name"] == "hello"


@pytest.mark.parametrize(
    ("files", "manifest", "told"),
    [
        ({"app/main.py": None, "app/other.py": ""}, {}, "app/main.py"),
        ({}, {"entrypoint": "../main.py"}, "entrypoint"),
        ({}, {"version": "1"}, "version"),
        ({}, {"name": "hello world"}, "name"),
        ({}, {"platform": "wasm"}, "platform"),
        ({"manifest.json": "{"}, {}, "manifest.json is not JSON"),
        ({"schema.json": {"type": "nothing"}}, {}, "schema.json"),
        ({"schema.json": {"$ref": "http://127.0.0.1/x"}}, {}, "schema.json"),
        ({"template.json": {}}, {}, "template.json: id"),
    ],
)
def test_what_breaks_the_rules_is_named(ada, pack, files, manifest, told):
    answer = ada.post("/v1/dev/apps", json={"data": pack(files, **manifest)})
    assert answer.status_code == 400
    assert told in answer.json()["message"]


@pytest.mark.parametrize("data", ["!", "aGVsbG8=", "A", ""])
def test_what_is_no_archive_is_refused(ada, data):
    assert ada.post("/v1/dev/apps", json={"data": data}).status_code == 400


@pytest.mark.parametrize("settings", [KEYS], indirect=True)
def test_the_registry_token_is_never_told(ada, pack):
    push(ada, pack, platform_config={"container": "python", "token": "swordfish", "private_image": True})
    answer = ada.get("/v1/dev/apps/hello")
    assert answer.json()["app"]["platformConfig"]["privateImage"] is True
    assert "swordfish" not in answer.text


def test_another_users_app_is_as_absent_as_none(ada, bob, pack):
    app = push(ada, pack)
    for verb, path in (("GET", ""), ("GET", "/status"), ("GET", "/download"), ("POST", "/activate")):
        for tag in ("hello", "ada/hello", app["id"], "nothing"):
            answer = bob.request(verb, f"/v1/dev/apps/{tag}{path}")
            assert answer.status_code == 404
            assert answer.json()["message"] == f"there is no app {tag}"


def test_lists_are_paged_and_ordered(ada, pack):
    for it in ("0.2", "0.10", "0.1"):
        push(ada, pack, version=it)
    answer = ada.get("/v1/dev/apps", params={"orderBy": "version asc", "pagination.limit": 2}).json()
    assert [app["version"] for app in answer["apps"]] == ["0.1", "0.2"]
    assert answer["pagination"] == {"total": 3, "offset": 0, "hasPrevious": False, "hasNext": True}
    newest = ada.get("/v1/dev/apps", params={"orderBy": "created_at", "pagination.offset": "1"}).json()
    assert [app["version"] for app in newest["apps"]] == ["0.10", "0.2"]


@pytest.mark.parametrize(
    "params",
    [{"orderBy": "nonsense"}, {"orderBy": "name down"}, {"pagination.limit": -1}, {"pagination.offset": "x"}],
)
def test_bad_paging_is_refused(ada, params):
    assert ada.get("/v1/dev/apps", params=params).status_code == 400


def test_the_download_link_names_the_archive(ada, pack):
    push(ada, pack)
    answer = ada.get("/v1/dev/apps/hello/download").json()
    assert answer["link"] == answer["message"]
    assert answer["link"].startswith("http://fabric.test/files/get/")


def test_a_published_app_is_everybodys_to_see_and_run_until_it_is_unpublished(ada, bob, pack):
    push(ada, pack)
    ada.post("/v1/dev/apps/hello/activate")
    assert ada.post("/v1/dev/apps/hello/publish").json()["message"] == "public"
    assert bob.get("/v1/dev/apps/hello").json()["app"]["isPublic"] is True
    public = bob.get("/v1/dev/apps", params={"isPublic": "true"}).json()
    assert [it["userName"] for it in public["apps"]] == ["ada"]
    ends = {"dataSource": {"dataSourceDescriptor": "bypass"}}
    ends["dataDestination"] = {"dataSourceDescriptor": "bucket"}
    tags = {"app": "ada/hello", "partitioner": "passthrough", "assembler": "passthrough"}
    bob.post("/v1/dev/templates", json={"id": "t"} | tags | ends)
    drafts = [bob.post("/v1/customer/jobs", json={"templateId": "t"}).json()["job"]["id"] for _ in range(2)]
    assert bob.post(f"/v1/customer/jobs/{drafts[0]}/run").status_code == 200
    assert ada.post("/v1/dev/apps/hello/unpublish").json()["message"] == "private"
    assert bob.get("/v1/dev/apps/hello").status_code == 404
    answer = bob.post(f"/v1/customer/jobs/{drafts[1]}/run")
    assert (answer.status_code, "there is no app 'ada/hello'" in answer.json()["message"]) == (404, True)


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/publish"),
        ("POST", "/unpublish"),
        ("POST", "/activate"),
        ("POST", "/deactivate"),
        ("DELETE", ""),
    ],
)
def test_only_the_owner_changes_what_all_may_see(ada, bob, pack, verb, path):
    push(ada, pack)
    assert bob.request(verb, f"/v1/dev/apps/hello{path}").status_code == 404
    ada.post("/v1/dev/apps/hello/publish")
    answer = bob.request(verb, f"/v1/dev/apps/hello{path}")
    assert (answer.status_code, "belongs to ada" in answer.json()["message"]) == (403, True)


def test_a_deleted_version_is_gone_and_may_be_pushed_anew(ada, pack):
    first = push(ada, pack)
    push(ada, pack, version="0.2")
    ada.post("/v1/dev/apps/hello@0.1/activate")
    answer = ada.request("DELETE", "/v1/dev/apps/hello@0.1")
    assert (answer.json()["ok"], answer.json()["message"]) == (True, "hello@0.1 is deleted")
    assert ada.get("/v1/dev/apps/hello@0.1").status_code == 404
    assert ada.get(f"/v1/dev/apps/{first['id']}").status_code == 404
    assert [it["version"] for it in ada.get("/v1/dev/apps").json()["apps"]] == ["0.2"]
    again = push(ada, pack)
    assert (again["id"] != first["id"], again["revision"], again["status"]) == (True, "1", "inactive")


def test_a_job_that_was_planned_goes_on_after_its_app_is_deleted(hello, draft):
    job_id = draft()["id"]
    assert hello.post(f"/v1/customer/jobs/{job_id}/run").status_code == 200
    key = row_of(hello, job_id).plan["app"]["component"]["archive_key"]
    assert hello.request("DELETE", "/v1/dev/apps/hello").status_code == 200
    assert hello.context.store.get_bytes(key)
    answer = hello.post("/v1/customer/jobs", json={"templateId": "hello-template"})
    assert (answer.status_code, "no app" in answer.json()["message"]) == (404, True)
