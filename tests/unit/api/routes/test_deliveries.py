"""An ended job is delivered again: by its owner, to its own destination or to another bucket."""

import pytest

from gridloom.plan import JobPlan
from gridloom.states import JobState, Stage
from storage.repositories import inline_credentials, job_states, jobs
from storage.tables import tasks
from tests.fixtures.fabric import plan_of
from tests.unit.api.routes.test_jobs import error_of

S3 = {"dataSourceDescriptor": "s3", "params": {"bucketName": "books", "name": "out"}}
KEYS = {"accessKey": "AK", "secretKey": "swordfish"}


@pytest.fixture
def delivered(finished):
    """Return a function that makes a job which ended with its output kept, and gives the path to deliver it again."""

    def make(**columns):
        plan = plan_of(destination="s3", destination_params=S3["params"])
        values = {"plan": plan.model_dump(mode="json"), "data_destination": S3} | columns
        return finished({"a.txt": b"text"}, **values)

    return make


def again(job):
    return f"/v1/customer/jobs/{job['id']}/redeliver"


def row_of(client, job):
    with client.context.database.read() as connection:
        return job_states.find(connection, job["id"])


@pytest.mark.parametrize("body", [None, {}, {"dataDestination": None}])
@pytest.mark.parametrize("state", [JobState.COMPLETE, JobState.FAILED])
def test_an_ended_job_gets_one_more_task_that_delivers(delivered, hello, body, state):
    job = delivered(state=state, error_message="denied")
    assert hello.post(again(job), json=body).json()["message"] == "delivering"
    shown = hello.get(f"/v1/customer/jobs/{job['id']}").json()["job"]
    assert (shown["state"], shown["errorMessage"]) == ("JOB_STATE_MERGED", "")
    with hello.context.database.read() as connection:
        made = connection.execute(tasks.select().where(tasks.c.job_id == job["id"])).one()
    assert made.stage == Stage.DELIVER
    assert "only a job that has ended" in error_of(hello.post(again(job)))


def test_another_destination_takes_its_place_and_its_secrets_lie_apart(delivered, hello):
    job = delivered()
    other = {"dataSourceDescriptor": "gcp", "params": {"bucketName": "lake"} | KEYS}
    assert hello.post(again(job), json={"dataDestination": other}).status_code == 200
    shown = hello.get(f"/v1/customer/jobs/{job['id']}").json()["job"]["dataDestination"]
    assert shown == {"dataSourceDescriptor": "gcp", "params": {"bucketName": "lake", "accessKey": "AK"}}
    row = row_of(hello, job)
    plan = JobPlan.model_validate(row.plan)
    assert (plan.destination, plan.destination_params) == ("gcp", shown["params"])
    with hello.context.database.read() as connection:
        holder = jobs.holder_of(row.owner_id, row.id)
        vault = hello.context.vault
        whole = inline_credentials.whole(
            connection, vault, holder, "data_destination", plan.destination_params
        )
    assert whole == other["params"]
    assert "swordfish" not in hello.stored()


@pytest.mark.parametrize(
    ("destination", "problem"),
    [
        ({"dataSourceDescriptor": "s3", "params": {}}, "dataDestination.params.bucketName is missing"),
        ({"dataSourceDescriptor": "bucket"}, "is delivered again to"),
        ({"dataSourceDescriptor": "url", "params": {"url": "https://a.test"}}, "url can't be used as"),
        (
            {"dataSourceDescriptor": "s3", "params": {"bucketName": "bbb", "secret_id": "none"}},
            "dataDestination.params.secret_id: there is no secret 'none' of type s3",
        ),
        (
            {"dataSourceDescriptor": "s3", "params": {"bucketName": "bbb", "endpoint": "http://10.0.0.1"}},
            "10.0.0.1 is in a private network",
        ),
    ],
)
def test_a_destination_that_can_not_be_is_refused_and_changes_nothing(delivered, hello, destination, problem):
    job = delivered()
    assert problem in error_of(hello.post(again(job), json={"dataDestination": destination}))
    assert row_of(hello, job).state == JobState.COMPLETE


def test_only_the_owner_delivers_again_and_only_what_is_there(delivered, draft, hello, bob):
    job = delivered()
    assert bob.post(again(job)).status_code == 404
    assert row_of(hello, job).state == JobState.COMPLETE
    assert "only a job that has ended" in error_of(hello.post(again(draft())))
    assert "run the job again" in error_of(hello.post(again(delivered(output_expires_at=None))))


@pytest.mark.parametrize("settings", [{"max_live_jobs": 1}], indirect=True)
def test_deliveries_count_among_the_jobs_that_run(delivered, hello):
    first, second = delivered(), delivered()
    assert hello.post(again(first)).status_code == 200
    refused = hello.post(again(second))
    assert "is its limit" in error_of(refused, 429)
    assert row_of(hello, second).state == JobState.COMPLETE
