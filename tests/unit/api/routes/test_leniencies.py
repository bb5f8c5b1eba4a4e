"""What real clients do that no reference says: each must go on working (numbers as in the published contract)."""

import hashlib

import pytest
from sqlalchemy import update

from gridloom.states import JobState
from storage.tables import jobs
from tests.unit.api.routes.test_jobs import error_of, row_of

CUSTOMER = "/v1/customer"


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_tokens_come_with_and_without_a_scheme(hello):
    """L1."""
    token = hello.headers["Authorization"]
    for header in (token, f"Bearer {token}", f"bearer {token}"):
        ok(hello.get(f"{CUSTOMER}/jobs", headers={"Authorization": header}))


def test_a_job_may_bring_everything_along_with_numbers_as_text(hello):
    """L2, L3, L10, L14, L18."""
    body = {
        "template_id": "hello-template",
        "name": None,
        "params": {"app": {"case": "lower", "size": "7"}, "data": [1], "preset": ""},
        "config": {"taskTimeout": "3600", "jobTimeout": "84200", "isTestJob": False},
        "data_source": {
            "dataSourceDescriptor": "url",
            "params": {"url": "https://example.org/a", "name": "", "username": "", "password": ""},
        },
        "data_destination": {"dataSourceDescriptor": "bucket", "params": {}},
        "owner_id": "someone",
        "state": "JOB_STATE_COMPLETE",
        "price": 7,
        "id": "mine",
    }
    job = ok(hello.post(f"{CUSTOMER}/jobs", json=body))["job"]
    assert (job["config"]["taskTimeout"], job["config"]["jobTimeout"]) == (3600, 84200)
    assert job["params"]["app"] == {"case": "lower", "size": "7", "keep": 1}
    assert (job["params"]["data"], job["params"]["preset"]) == ([1], "")
    assert job["dataSource"]["params"]["name"] == ""
    assert job["dataDestination"] == {"dataSourceDescriptor": "bucket", "params": {}}
    assert (job["state"], job["paymentAmount"], job["name"]) == (JobState.NEW, 0, f"Job {job['id']}")
    assert job["id"] != "mine"
    with hello.context.database.read() as connection:
        assert (
            connection.exec_driver_sql("SELECT count(*) FROM jobs WHERE owner_id = 'someone'").scalar() == 0
        )
    for descriptor in ("s3", "aws"):
        source = {
            "dataSourceDescriptor": descriptor,
            "params": {"name": "/f", "bucketName": "b", "secret_id": "s"},
        }
        changed = ok(hello.post(f"{CUSTOMER}/jobs/datasource/{job['id']}", json={"data_source": source}))[
            "job"
        ]
        assert changed["dataSource"] == source


def test_run_settings_are_flat_or_nested_or_missing(draft, hello):
    """L4, L9, L11."""
    flat = {"taskTimeout": "5", "isTestJob": True, "maxTaskRetries": "3"}
    for body, config in (
        (flat, (5, True, 3)),
        ({"config": flat}, (5, True, 3)),
        ({"taskTimeout": 9, "config": {"taskTimeout": 5}}, (5, False, 2)),
        ({}, (3600, False, 2)),
        (None, (3600, False, 2)),
    ):
        job_id = draft()["id"]
        answer = ok(hello.post(f"{CUSTOMER}/jobs/run/{job_id}", **({} if body is None else {"json": body})))
        assert answer["ok"] is True
        job = ok(hello.get(f"{CUSTOMER}/jobs/{job_id}"))["job"]
        assert tuple(job["config"][it] for it in ("taskTimeout", "isTestJob", "maxTaskRetries")) == config
        assert job["completedAt"] == job["endedAt"] is None


def test_a_client_that_polls_for_results_gets_along(finished, draft, hello):
    """L5, L6, L7, L12."""
    waiting = hello.request("GET", f"{CUSTOMER}/jobs/{draft()['id']}/results", json={"any": "body"})
    assert "not yet been completed" in error_of(waiting, 400)
    job = finished({"results_archive.zip": b"PK"}, ended_at=None)
    answer = ok(hello.request("GET", f"{CUSTOMER}/jobs/{job['id']}/results", content=b"{not json"))
    (result,) = answer["results"]
    assert result["url"] == result["link"]
    bare = hello.request(
        "GET", result["url"].removeprefix("http://fabric.test"), headers={"Authorization": ""}
    )
    assert (bare.status_code, bare.content) == (200, b"PK")


def test_every_older_address_leads_to_the_same_edit(draft, hello):
    """L9, L11: routes with the id last, and answers with the job."""
    job_id = draft()["id"]
    for path in (f"jobs/params/{job_id}", f"jobs/{job_id}/params"):
        body = {"app": {"case": "lower"}, "data": {"a": 1}, "preset": "p"}
        assert ok(hello.post(f"{CUSTOMER}/{path}", json=body))["job"]["params"]["data"] == {"a": 1}
    for path in (f"jobs/datasource/{job_id}", f"jobs/{job_id}/datasource"):
        body = {"dataSource": {"dataSourceDescriptor": "file", "params": {"@type": "LocalFileDataSource"}}}
        assert ok(hello.post(f"{CUSTOMER}/{path}", json=body))["job"]["dataSource"]["params"]["tempUrl"]
    assert ok(hello.post(f"{CUSTOMER}/jobs/{job_id}/configs", json={"jobTimeout": ""}))["job"]["id"] == job_id
    for method, path in (
        ("PATCH", f"jobs/{job_id}/uploadcompleted"),
        ("POST", f"jobs/{job_id}/uploadcompleted"),
        ("POST", f"jobs/uploadcompleted/{job_id}"),
    ):
        assert "no file was uploaded" in error_of(hello.request(method, f"{CUSTOMER}/{path}", json={}))
    for body in ('"My Job"', '{"name": "My Job"}'):
        renamed = hello.request("PATCH", f"{CUSTOMER}/jobs/{job_id}/jobname", content=body)
        assert ok(renamed)["job"]["name"] == "My Job"


def test_running_tasks_are_asked_for_in_both_spellings(draft, hello, bob):
    mine, other = draft()["id"], "0f000000-0000-4000-8000-000000000001"
    for name in ("jobsIds", "jobIds", "jobs_ids", "job_ids"):
        answer = ok(hello.post(f"{CUSTOMER}/jobs/runningTasks", json={name: [mine, mine, other, "x"]}))
        assert answer == {"jobsRunningTasks": {mine: 0}}
        assert ok(bob.post(f"{CUSTOMER}/jobs/runningTasks", json={name: [mine]})) == {"jobsRunningTasks": {}}


def test_regions_and_a_planned_start_are_kept_and_shown(draft, hello):
    job = draft(regions={"blacklist": ["eu"], "whitelist": []}, startAt="2099-01-01T00:00:00")
    assert job["regions"] == {"blacklist": ["eu"], "whitelist": []}
    assert job["startAt"] == "2099-01-01T00:00:00Z"
    ok(hello.post(f"{CUSTOMER}/jobs/{job['id']}/run", json={"jobTimeout": 60}))
    row = row_of(hello, job["id"])
    assert (row.started_at.year, (row.deadline_at - row.started_at).total_seconds()) == (2099, 60)
    waiting = ok(hello.get(f"{CUSTOMER}/jobs/{job['id']}"))["job"]
    assert (waiting["startedAt"], waiting["duration"]) == (None, 0)
    copy = ok(hello.post(f"{CUSTOMER}/jobs/{job['id']}/duplicate"))["job"]
    assert (copy["state"], copy["startAt"]) == ("JOB_STATE_NEW", None)
    ok(hello.post(f"{CUSTOMER}/jobs/{job['id']}/abort"))
    ended = ok(hello.get(f"{CUSTOMER}/jobs/{job['id']}"))["job"]
    assert (ended["state"], ended["startedAt"], ended["duration"]) == ("JOB_STATE_ABORTED", None, 0)
    ok(hello.request("DELETE", f"{CUSTOMER}/jobs/{job['id']}"))
    assert ok(hello.get(f"{CUSTOMER}/jobs"))["pagination"]["total"] == 1
    assert draft(startAt="")["startAt"] is None


@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T00:00:00Z"]
)
def test_a_start_that_no_clock_shows_is_refused_and_spoils_no_list(hello, start):
    answer = hello.post(f"{CUSTOMER}/jobs", json={"templateId": "hello-template", "startAt": start})
    assert "startAt" in error_of(answer, 400)
    assert ok(hello.get(f"{CUSTOMER}/jobs"))["data"] == []


def test_null_stands_for_what_is_not_given(draft, hello):
    draft()
    for body in ({"pagination": None, "filters": None, "orderBy": None}, {"pagination": {"limit": None}}):
        assert ok(hello.post(f"{CUSTOMER}/jobs/filter", json=body))["pagination"]["total"] == 1


def test_the_same_call_under_one_key_is_done_once(hello, bob):
    body, key = {"templateId": "hello-template"}, {"Idempotency-Key": "one"}
    first = ok(hello.post(f"{CUSTOMER}/jobs", json=body, headers=key))["job"]["id"]
    assert ok(hello.post("/v1/computing/jobs", json=body, headers=key))["job"]["id"] == first
    other = hello.post(f"{CUSTOMER}/jobs", json=body | {"name": "x"}, headers=key)
    assert "another request" in error_of(other, 409)
    assert (
        ok(hello.post(f"{CUSTOMER}/jobs", json=body, headers={"Idempotency-Key": "two"}))["job"]["id"]
        != first
    )
    assert error_of(bob.post(f"{CUSTOMER}/jobs", json=body, headers=key), 404)
    run = {"Idempotency-Key": "run"}
    assert error_of(hello.post(f"{CUSTOMER}/jobs/{first}/run", headers=key), 409)
    for path in (f"jobs/{first}/run", f"jobs/run/{first}"):
        assert ok(hello.post(f"{CUSTOMER}/{path}", headers=run))["ok"] is True
    assert error_of(hello.post(f"{CUSTOMER}/jobs/{first}/run", headers={"Idempotency-Key": "again"}), 400)
    assert error_of(hello.post(f"{CUSTOMER}/jobs", json=body, headers={"Idempotency-Key": "k" * 256}), 400)


@pytest.mark.parametrize("settings", [{"max_live_jobs": 1, "max_stored_jobs": 2}], indirect=True)
def test_an_account_keeps_and_runs_only_so_many_jobs(draft, hello):
    ids = [draft()["id"], draft()["id"]]
    assert "delete some" in error_of(hello.post(f"{CUSTOMER}/jobs", json={"templateId": "hello"}), 403)
    assert "delete some" in error_of(hello.post(f"{CUSTOMER}/jobs/{ids[0]}/duplicate"), 403)
    ok(hello.post(f"{CUSTOMER}/jobs/{ids[0]}/run"))
    refused = hello.post(f"{CUSTOMER}/jobs/{ids[1]}/run")
    assert "is its limit" in error_of(refused, 429)
    assert int(refused.headers["Retry-After"]) > 0
    ended = update(jobs).where(jobs.c.id == ids[0]).values(state=JobState.COMPLETE)
    hello.context.writer.run(lambda connection: connection.execute(ended))
    ok(hello.post(f"{CUSTOMER}/jobs/{ids[1]}/run"))
    ok(hello.request("DELETE", f"{CUSTOMER}/jobs/{ids[0]}"))
    draft()


def test_what_is_kept_of_a_repeatable_call_lets_nobody_guess_its_body(hello):
    body = b'{"templateId": "hello-template", "name": "a weak password"}'
    ok(hello.post(f"{CUSTOMER}/jobs", content=body, headers={"Idempotency-Key": "one"}))
    assert hashlib.sha256(b"create_job \n" + body).hexdigest() not in hello.stored()
