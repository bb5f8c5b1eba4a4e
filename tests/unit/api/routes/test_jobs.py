from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from gridloom.ids import new_uuid
from gridloom.plan import JobPlan
from gridloom.states import JobState
from storage.repositories import job_states
from storage.tables import jobs, tasks

TAGS = {"app": "hello@0.1", "partitioner": "passthrough", "assembler": "zipper@v1.0"}


def error_of(answer, status=400):
    assert answer.status_code == status, answer.text
    return answer.json()["message"]


def row_of(client, job_id):
    with client.context.database.read() as connection:
        return connection.execute(select(jobs).where(jobs.c.id == job_id)).one()


def test_a_draft_has_every_published_member(hello):
    answer = hello.post("/v1/customer/jobs", json={"templateId": "hello-template"}).json()
    job = answer["job"]
    info = {
        "id": "hello-template",
        "owner": "ada",
        "description": "",
        "app": "hello",
        "partitioner": "passthrough",
        "assembler": "passthrough",
    }
    assert answer["templateInfo"] == job["templateInfo"] == info
    times = job.pop("stateTimestamps")
    assert times == {"JOB_STATE_NEW": job["createdAt"]}
    assert job["createdAt"].endswith("Z")
    empty = ("startAt", "submittedAt", "startedAt", "endedAt", "completedAt", "deletedAt", "regions")
    assert [job[name] for name in empty] == [None] * len(empty)
    assert (job["numChunks"], job["numUnitsEstimation"], job["duration"], job["paymentAmount"]) == (
        0,
        "0",
        0,
        0,
    )
    assert (job["state"], job["priority"]) == ("JOB_STATE_NEW", "EXECUTION_PRIORITY_UNDEFINED")
    assert (job["name"], job["appId"], job["templateId"]) == (
        f"Job {job['id']}",
        "hello@0.1",
        "hello-template",
    )
    assert job["config"] == {"taskTimeout": 3600, "jobTimeout": 0, "isTestJob": False, "maxTaskRetries": 2}
    assert job["dataSource"] == {"dataSourceDescriptor": "bypass", "params": {}}
    assert job["progress"] == {"completed": 0, "total": None, "ratePerSecond": None, "reused": 0}
    assert (job["errorMessage"], job["warning"], job["description"], job["phases"]) == ("", "", "", None)


@pytest.mark.parametrize("template_id", ["hello-template", "hello-template@1.2", "hello@v0.1", "hello"])
def test_a_template_is_found_as_clients_name_it(draft, template_id):
    job = draft(templateId=template_id)
    assert (job["templateId"], job["templateInfo"]["id"]) == (template_id, "hello-template")


def test_a_request_is_merged_over_the_template_key_by_key(draft):
    job = draft(
        params={"app": {"case": "lower"}, "data": {"a": 1}, "preset": "p"},
        config={"taskTimeout": "60", "jobTimeout": "84200", "is_test_job": True},
        data_destination={"dataSourceDescriptor": "bypass"},
        name="mine",
        priority="EXECUTION_PRIORITY_HIGH",
    )
    assert job["params"] == {
        "partitioner": {},
        "app": {"case": "lower", "keep": 1},
        "assembler": {},
        "data": {"a": 1},
        "preset": "p",
    }
    assert job["config"] == {"taskTimeout": 60, "jobTimeout": 84200, "isTestJob": True, "maxTaskRetries": 2}
    assert job["dataDestination"]["dataSourceDescriptor"] == "bypass"
    assert (job["name"], job["priority"]) == ("mine", "EXECUTION_PRIORITY_HIGH")


@pytest.mark.parametrize("members", [TAGS, {"templateInfo": TAGS}, {"template_info": TAGS}])
def test_a_draft_is_made_of_three_tags(hello, members):
    answer = hello.post("/v1/customer/jobs", json=members | {"params": {"app": {"case": "lower"}}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["job"]["templateInfo"]["assembler"] == "zipper@v1.0"


@pytest.mark.parametrize(
    ("members", "status", "message"),
    [
        ({"templateId": "nobody"}, 404, "there is no template 'nobody'"),
        ({}, 400, "partitioner is missing"),
        (TAGS | {"app": "nothing@1"}, 404, "there is no app 'nothing@1'"),
        (TAGS | {"app": "no/thing/here"}, 400, "is not a tag"),
        (TAGS | {"partitioner": "zipper"}, 404, "there is no partitioner 'zipper'"),
        (TAGS, 400, "/params/app"),
        ({"templateId": "hello", "params": {"app": {"case": 7}}}, 400, "/params/app/case"),
        (
            {"templateId": "hello", "dataSource": {"dataSourceDescriptor": "bucket"}},
            400,
            "bucket can't be used",
        ),
        (
            {"templateId": "hello", "dataDestination": {"dataSourceDescriptor": "url"}},
            400,
            "url can't be used",
        ),
        ({"templateId": "hello", "config": {"taskTimeout": -1}}, 400, "config.taskTimeout"),
        ({"templateId": "hello", "config": {"jobTimeout": "soon"}}, 400, "config.jobTimeout"),
        ({"templateId": "hello", "config": {"reuse": "perhaps"}}, 400, "config.reuse"),
        ({"templateId": "hello", "config": {"jobTimeout": 1e300}}, 400, "config.jobTimeout"),
    ],
)
def test_what_cannot_become_a_job_is_refused_with_its_place(hello, members, status, message):
    assert message in error_of(hello.post("/v1/customer/jobs", json=members), status)
    assert hello.get("/v1/customer/jobs").json()["data"] == []


def test_an_inactive_app_is_refused(hello):
    hello.post("/v1/dev/apps/hello/deactivate")
    assert error_of(hello.post("/v1/customer/jobs", json={"templateId": "hello"})) == (
        "app hello is not active; activate it first"
    )


def test_broken_json_is_refused(hello):
    assert "not JSON" in error_of(hello.post("/v1/customer/jobs", content=b"{"))


def test_secrets_of_older_clients_are_never_shown(draft, hello):
    source = {
        "dataSourceDescriptor": "s3",
        "params": {
            "name": "f",
            "bucketName": "b",
            "accessKey": "AK",
            "secretKey": "hush",
            "secret_key": "hush",
        },
    }
    job = draft(dataSource=source)
    assert job["dataSource"]["params"] == {"name": "f", "bucketName": "b", "accessKey": "AK"}
    assert "hush" not in hello.get("/v1/customer/jobs").text
    assert "hush" not in str(row_of(hello, job["id"]))


def test_both_prefixes_lead_to_the_same_jobs(draft, hello):
    job = draft()
    one = hello.request("GET", f"/v1/computing/jobs/{job['id']}", json={"ignored": True}).json()
    assert one["job"]["id"] == job["id"]


def test_lists_come_in_pages_the_newest_first(draft, hello):
    ids = [draft(name=name)["id"] for name in ("b", "c", "a")]
    answer = hello.get("/v1/customer/jobs?pagination.limit=2&pagination.offset=1").json()
    assert [job["id"] for job in answer["data"]] == [ids[1], ids[0]]
    assert answer["pagination"] == {"total": 3, "offset": 1, "hasPrevious": True, "hasNext": False}
    by_name = hello.get("/v1/customer/jobs?orderBy=name asc").json()["data"]
    assert [job["name"] for job in by_name] == ["a", "b", "c"]
    assert "can't order by color" in error_of(hello.get("/v1/customer/jobs?orderBy=color"))


def test_templates_are_listed_in_short(hello):
    answer = hello.get("/v1/customer/jobs/templates").json()
    assert [set(it) for it in answer["data"]] == [
        {"id", "owner", "description", "app", "partitioner", "assembler"}
    ]
    assert answer["data"][0]["id"] == "hello-template"


def test_jobs_of_others_are_as_absent_as_none(draft, hello, bob):
    job_id = draft()["id"]
    calls = [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/results"),
        ("GET", "/tasks"),
        ("GET", "/configs"),
        ("POST", "/run"),
        ("POST", "/abort"),
        ("POST", "/duplicate"),
        ("PATCH", "/uploadcompleted"),
    ]
    for method, verb in calls:
        bodies = []
        for wanted in (job_id, new_uuid()):
            answer = bob.request(method, f"/v1/customer/jobs/{wanted}{verb}")
            assert answer.status_code == 404, (method, verb)
            bodies.append(answer.text.replace(wanted, "ID").replace(answer.json()["requestId"], ""))
        assert bodies[0] == bodies[1]
    assert bob.get("/v1/customer/jobs").json()["data"] == []
    assert hello.get(f"/v1/customer/jobs/{job_id}").status_code == 200


@pytest.mark.parametrize("job_id", ["no-uuid", "x" * 2000, "..", "a b"])
def test_ids_that_are_none_are_not_found(hello, job_id):
    assert hello.get(f"/v1/customer/jobs/{job_id}/tasks").status_code == 404


@pytest.mark.parametrize("path", ["jobs/{}/run", "jobs/run/{}"])
def test_run_freezes_the_plan_and_launches(draft, hello, path):
    job = draft(params={"app": {"case": "lower"}})
    body = {"taskTimeout": 5, "config": {"jobTimeout": "100", "taskTimeout": 7, "reuse": True}}
    answer = hello.post(f"/v1/customer/{path.format(job['id'])}", json=body).json()
    assert answer["ok"] is True
    assert answer["requestId"]
    row = row_of(hello, job["id"])
    plan = JobPlan.model_validate(row.plan)
    assert plan.app.params == {"case": "lower", "keep": 1}
    assert (plan.app.component.name, plan.app.component.version, plan.app.component.entrypoint) == (
        "hello",
        "0.1",
        "main.py",
    )
    assert (plan.app.needs.cores, plan.app.needs.memory_mib) == (2.0, 1024)
    assert (plan.task_timeout_s, plan.job_timeout_s, plan.max_task_retries) == (7.0, 100.0, 2)
    assert (plan.source.descriptor, plan.destination) == ("bypass", "bucket")
    assert plan.partitioner.passthrough
    assert plan.assembler.passthrough
    shown = hello.get(f"/v1/customer/jobs/{job['id']}").json()["job"]
    assert shown["submittedAt"] == shown["startedAt"] is not None
    assert (shown["config"]["taskTimeout"], shown["config"]["reuse"], plan.reuse) == (7, True, True)
    assert "JOB_STATE_STARTED" in shown["stateTimestamps"]


def test_the_plan_says_how_components_wish_to_be_kept_but_holds_no_login(draft, hello, pack):
    platform = {"container": "team/app", "private_image": True, "username": "ada", "token": "swordfish"}
    warm = {"preload": ["numpy"], "isolation": "strict"}
    data = pack(network="egress", warm=warm, platform_config=platform)
    assert hello.post("/v1/dev/apps", json={"data": data}).status_code == 200
    job = draft()
    assert hello.post(f"/v1/customer/jobs/{job['id']}/run").status_code == 200
    plan = JobPlan.model_validate(row_of(hello, job["id"]).plan)
    component = plan.app.component
    assert (component.network, component.isolation, component.preload) == ("egress", "strict", ("numpy",))
    assert (component.has_secrets, plan.app.private_image, component.image) == (False, True, "team/app")
    assert (plan.partitioner.private_image, plan.partitioner.component.preload) == (False, "auto")
    assert "swordfish" not in plan.model_dump_json()


def test_workers_hear_of_a_job_once_it_is_there(draft, hello, monkeypatch):
    heard = []
    monkeypatch.setattr(
        type(hello.context.wakeup),
        "warm",
        lambda _, job_id: heard.append((job_id, row_of(hello, job_id).state)),
    )
    job = draft()
    assert heard == []
    hello.post(f"/v1/customer/jobs/{job['id']}/run")
    assert heard == [(job["id"], row_of(hello, job["id"]).state)]
    assert heard[0][1] != JobState.NEW


@pytest.mark.parametrize("kwargs", [{}, {"json": {}}, {"json": None}])
def test_a_run_needs_no_body(draft, hello, kwargs):
    assert hello.post(f"/v1/customer/jobs/{draft()['id']}/run", **kwargs).status_code == 200


def test_a_job_runs_once(draft, hello):
    path = f"/v1/customer/jobs/{draft()['id']}/run"
    assert hello.post(path).status_code == 200
    assert "only a job in JOB_STATE_NEW" in error_of(hello.post(path))


def test_a_run_resolves_and_checks_again(draft, hello, pack):
    job = draft()
    strict = {"required": ["size"]}
    hello.post("/v1/dev/apps", json={"data": pack({"schema.json": strict}, version="0.2")})
    hello.post("/v1/dev/apps/hello@0.2/activate")
    assert "/params/app" in error_of(hello.post(f"/v1/customer/jobs/{job['id']}/run"))


@pytest.mark.parametrize("missing", ["data_source", "data_destination"])
def test_a_run_needs_source_and_destination(draft, hello, missing):
    job_id = draft()["id"]
    hello.context.writer.run(
        lambda connection: connection.execute(update(jobs).where(jobs.c.id == job_id).values({missing: None}))
    )
    assert f"has no {missing.replace('_', ' ')}" in error_of(hello.post(f"/v1/customer/jobs/{job_id}/run"))


@pytest.mark.parametrize("end", ["dataSource", "dataDestination"])
def test_a_run_takes_ends_that_are_in_buckets(draft, hello, end):
    bucket = {"dataSourceDescriptor": "aws", "params": {"bucketName": "b", "name": "in.txt"}}
    job_id = draft(**{end: bucket})["id"]
    assert hello.post(f"/v1/customer/jobs/{job_id}/run").status_code == 200


def test_a_secret_that_can_not_be_used_stops_the_run(draft, hello, pack):
    hello.post("/v1/dev/apps", json={"data": pack(version="0.2", platform_config={"secrets": ["HF"]})})
    hello.post("/v1/dev/apps/hello@0.2/activate")
    job_id = draft()["id"]
    run = f"/v1/customer/jobs/{job_id}/run"
    assert "app hello asks for a secret: secret 'HF' does not exist" in error_of(hello.post(run))
    secret = {"id": "HF", "secretType": "other", "expiresAt": "2020-01-01"}
    body = {"secret": secret, "secretKey": "swordfish"}
    assert hello.post("/v1/auth/secrets", json=body).status_code == 200
    assert "secret 'HF' expired on 2020-01-01" in error_of(hello.post(run))
    hello.post("/v1/auth/secrets", json=body | {"secret": secret | {"expiresAt": None}})
    assert hello.post(run).status_code == 200
    plan = JobPlan.model_validate(row_of(hello, job_id).plan)
    assert (plan.app.secrets, plan.app.component.has_secrets) == (("HF",), True)
    assert "swordfish" not in str(row_of(hello, job_id))


def test_aborting_a_draft_deletes_it(draft, hello):
    job_id = draft()["id"]
    assert hello.post(f"/v1/customer/jobs/{job_id}/abort").json()["message"] == "deleted"
    assert hello.get(f"/v1/customer/jobs/{job_id}").status_code == 404
    assert hello.post(f"/v1/customer/jobs/{job_id}/run").status_code == 404


def test_aborting_a_running_job_cancels_its_tasks_once(draft, hello):
    job_id = draft()["id"]
    hello.post(f"/v1/customer/jobs/{job_id}/run")
    assert hello.post(f"/v1/customer/jobs/{job_id}/abort").json()["message"] == "aborted"
    job = hello.get(f"/v1/customer/jobs/{job_id}").json()["job"]
    assert job["state"] == "JOB_STATE_ABORTED"
    assert job["completedAt"] == job["endedAt"] is not None
    with hello.context.database.read() as connection:
        states = set(connection.execute(select(tasks.c.state).where(tasks.c.job_id == job_id)).scalars())
    assert states == {"Aborted"}
    assert "has ended already" in error_of(hello.post(f"/v1/customer/jobs/{job_id}/abort"))


@pytest.mark.parametrize("run", [True, False])
def test_a_deleted_job_is_hidden_and_does_not_run(draft, hello, run):
    job_id = draft()["id"]
    if run:
        hello.post(f"/v1/customer/jobs/{job_id}/run")
    assert hello.request("DELETE", f"/v1/customer/jobs/{job_id}").json()["ok"] is True
    assert hello.get(f"/v1/customer/jobs/{job_id}").status_code == 404
    assert hello.get("/v1/customer/jobs").json()["pagination"]["total"] == 0
    assert row_of(hello, job_id).state == (JobState.ABORTED if run else JobState.NEW)
    assert hello.request("DELETE", f"/v1/customer/jobs/{job_id}").status_code == 404


def test_a_copy_is_a_draft_of_its_own(draft, hello):
    job = draft(name="mine")
    hello.post(f"/v1/customer/jobs/{job['id']}/run")
    copy = hello.post(f"/v1/customer/jobs/{job['id']}/duplicate").json()["job"]
    assert copy["id"] != job["id"]
    assert (copy["state"], copy["name"], copy["params"]) == ("JOB_STATE_NEW", "mine", job["params"])
    assert hello.post(f"/v1/customer/jobs/{copy['id']}/run").status_code == 200


def test_an_edit_between_look_and_launch_is_never_lost(draft, hello, monkeypatch):
    job_id = draft()["id"]
    real = job_states.find

    def renamed(connection, wanted):
        raise AssertionError("launched a draft that had changed")

    monkeypatch.setattr(job_states, "find", renamed)
    run = hello.context.writer.run

    def edited_first(work):
        run(lambda connection: connection.execute(update(jobs).values(name="edited")))
        return run(work)

    slow = SimpleNamespace(run=edited_first, close=hello.context.writer.close)
    hello.app.state.context = type(hello.context)(
        **{name: getattr(hello.context, name) for name in hello.context.__slots__} | {"writer": slow}
    )
    assert "was changed at the same time" in error_of(hello.post(f"/v1/customer/jobs/{job_id}/run"))
    monkeypatch.setattr(job_states, "find", real)


BUCKET = {"dataSourceDescriptor": "s3", "params": {"bucketName": "books", "name": "in/", "secret_id": "lake"}}


@pytest.mark.parametrize("end", ["dataSource", "dataDestination"])
def test_a_run_needs_the_secrets_that_its_ends_name(draft, hello, bob, end):
    path = f"/v1/customer/jobs/{draft(**{end: BUCKET})['id']}/run"

    def save(client, **members):
        body = {"secret": {"id": "lake", "accessKey": "AK"} | members, "secretKey": "k" * 20}
        assert client.post("/v1/auth/secrets", json=body).status_code == 200

    save(bob, secretType="s3")
    missing = f"{end}.params.secret_id: there is no secret 'lake' of type s3"
    answer = hello.post(path)
    assert missing in error_of(answer)
    assert answer.json()["details"][0]["fieldViolations"][0]["field"] == f"{end}.params.secret_id"
    save(hello, secretType="gcp")
    assert f"{missing}; the one of that id is of type gcp" in error_of(hello.post(path))
    save(hello, secretType="aws")
    assert hello.post(path).status_code == 200
