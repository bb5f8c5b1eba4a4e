import pytest
from sqlalchemy import update

from storage.tables import jobs
from tests.unit.api.routes.test_jobs import error_of

URL = {"dataSourceDescriptor": "url", "params": {"url": "https://example.com/a.txt", "name": ""}}
FILE = {"dataSourceDescriptor": "file", "params": {"@type": "LocalFileDataSource"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "jobs/{}/datasource"), ("POST", "jobs/{}/datasource"), ("POST", "jobs/datasource/{}")],
)
@pytest.mark.parametrize("name", ["dataSource", "data_source"])
def test_source_and_destination_are_set_by_themselves(draft, hello, method, path, name):
    job = draft()
    answer = hello.request(method, f"/v1/customer/{path.format(job['id'])}", json={name: URL})
    assert answer.status_code == 200, answer.text
    changed = answer.json()["job"]
    assert changed["dataSource"] == URL
    assert changed["dataDestination"] == job["dataDestination"]
    body = {"dataDestination": {"dataSourceDescriptor": "bypass"}, "dataSource": None}
    changed = hello.request(method, f"/v1/customer/{path.format(job['id'])}", json=body).json()["job"]
    assert (changed["dataSource"], changed["dataDestination"]["dataSourceDescriptor"]) == (URL, "bypass")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"dataSourceDescriptor": "ftp"}, "'ftp' is unknown"),
        ({"dataSourceDescriptor": "bucket"}, "bucket can't be used"),
        ({"dataSourceDescriptor": "url"}, "params.url is missing"),
        ({"dataSourceDescriptor": "url", "params": {"url": "file:///etc/passwd"}}, "params.url"),
    ],
)
def test_a_source_is_checked_at_once(draft, hello, source, message):
    path = f"/v1/customer/jobs/{draft()['id']}/datasource"
    assert message in error_of(hello.request("PATCH", path, json={"dataSource": source}))


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "http://169.254.169.254/latest", "http://[::1]/"])
def test_a_private_address_is_refused(draft, hello, url):
    source = {"dataSourceDescriptor": "url", "params": {"url": url}}
    path = f"/v1/customer/jobs/{draft()['id']}/datasource"
    answer = hello.request("PATCH", path, json={"dataSource": source})
    assert answer.status_code in (400, 403), answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "jobs/{}/params"), ("POST", "jobs/{}/params"), ("POST", "jobs/params/{}")]
)
def test_params_replace_each_section_they_name(draft, hello, method, path):
    job = draft()
    body = {"app": {"case": "lower"}, "partitioner": {"n": "3", "m": 4}, "preset": "old"}
    changed = hello.request(method, f"/v1/customer/{path.format(job['id'])}", json=body).json()["job"]
    assert changed["id"] == job["id"]
    assert changed["params"] == {**body, "assembler": {}}


@pytest.mark.parametrize("params", [{"app": {}}, {"app": {"case": "Upper"}}, {"app": {"case": None}}])
def test_params_are_checked_at_once(draft, hello, params):
    job = draft()
    message = error_of(hello.request("PATCH", f"/v1/customer/jobs/{job['id']}/params", json=params))
    assert message.startswith("/params/app")
    assert hello.get(f"/v1/customer/jobs/{job['id']}").json()["job"]["params"] == job["params"]


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_settings_change_by_themselves_and_can_be_read(draft, hello, method):
    path = f"/v1/customer/jobs/{draft()['id']}/configs"
    changed = hello.request(method, path, json={"jobTimeout": "90", "task_timeout": ""}).json()["job"]
    wanted = {"taskTimeout": 0, "jobTimeout": 90, "isTestJob": False, "maxTaskRetries": 2}
    assert changed["config"] == hello.get(path).json() == wanted
    assert hello.request(method, path, json={"config": {"isTestJob": "true"}}).json()["job"]["config"] == (
        wanted | {"isTestJob": True}
    )


@pytest.mark.parametrize("body", ["My Job", {"name": "My Job"}])
def test_a_name_is_a_bare_string_or_an_object(draft, hello, body):
    path = f"/v1/customer/jobs/{draft()['id']}/jobname"
    assert hello.request("PATCH", path, json=body).json()["job"]["name"] == "My Job"


@pytest.mark.parametrize("body", ["x" * 201, {"name": "x" * 201}, 5, [], None, {}])
def test_a_name_that_is_none_is_refused(draft, hello, body):
    path = f"/v1/customer/jobs/{draft()['id']}/jobname"
    assert hello.request("PATCH", path, json=body).status_code == 400


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("datasource", {"dataSource": URL}),
        ("params", {"app": {"case": "lower"}}),
        ("configs", {"taskTimeout": 1}),
        ("jobname", "late"),
        ("uploadcompleted", {}),
    ],
)
def test_only_a_draft_may_be_changed_and_only_by_its_owner(draft, hello, bob, verb, body):
    job_id = draft()["id"]
    path = f"/v1/customer/jobs/{job_id}/{verb}"
    error_of(bob.request("PATCH", path, json=body), 404)
    hello.post(f"/v1/customer/jobs/{job_id}/run")
    before = hello.get(f"/v1/customer/jobs/{job_id}").json()["job"]
    assert "only a job in JOB_STATE_NEW" in error_of(hello.request("PATCH", path, json=body))
    after = hello.get(f"/v1/customer/jobs/{job_id}").json()["job"]
    assert before | {"duration": 0} == after | {"duration": 0}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "jobs/{}/uploadcompleted"),
        ("POST", "jobs/{}/uploadcompleted"),
        ("POST", "jobs/uploadcompleted/{}"),
    ],
)
def test_an_upload_is_confirmed_only_when_it_has_arrived(draft, hello, method, path):
    job_id = draft(dataSource=FILE)["id"]
    path = f"/v1/customer/{path.format(job_id)}"
    assert "no file was uploaded" in error_of(hello.request(method, path, json={}))
    arrived = {"key": "jobs/x/source/1", "name": "a.txt", "size": None, "confirmed": False}
    for size in (None, 3):
        hello.context.writer.run(
            lambda connection, size=size: connection.execute(
                update(jobs).values(upload=arrived | {"size": size})
            )
        )
        answer = hello.request(method, path)
        assert answer.status_code == (400 if size is None else 200), answer.text
    assert hello.post(f"/v1/customer/jobs/{job_id}/run").status_code == 200


def test_without_a_file_source_there_is_nothing_to_confirm(draft, hello):
    path = f"/v1/customer/jobs/{draft()['id']}/uploadcompleted"
    assert "is not a file" in error_of(hello.request("PATCH", path))
