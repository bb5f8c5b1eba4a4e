"""Tests of lists of jobs and of single tasks."""

from gridloom.ids import task_id
from gridloom.states import JOB_FINAL, JobState, Stage
from tests.unit.cli.conftest import JOB_ID

FILTER = "/v1/customer/jobs/filter"
JOB = {
    "id": JOB_ID,
    "name": "Loud",
    "state": "JOB_STATE_COMPLETE",
    "numChunks": 4,
    "progress": {"completed": 4},
}


def test_jobs_are_listed(fabric, gridloom):
    fabric.answers["GET", "/v1/customer/jobs"] = {"data": [JOB | {"createdAt": "2026-01-02T03:04:05.6Z"}]}
    row = gridloom("job", "list")[1].splitlines()[1]
    assert row.split() == [JOB_ID, "Loud", "Complete", "4/4", "2026-01-02", "03:04:05"]


def test_conditions_are_sent(fabric, gridloom):
    fabric.answers["POST", FILTER] = {"data": [JOB]}
    gridloom(
        "job", "filter", "--state", "failed", "--state", "aborted", "--name", "loud", "--template", "t",
        "--since", "2026-01-01", "--until", "2026-02-01", "--order-by", "name desc",
    )  # fmt: skip
    [body] = fabric.bodies("POST", FILTER)
    assert [(it["field"], it["condition"][17:], it["value"]) for it in body["filters"]] == [
        ("state", "IN", ["JOB_STATE_FAILED", "JOB_STATE_ABORTED"]),
        ("name", "LIKE", "loud"),
        ("templateId", "EQ", "t"),
        ("createdAt", "GTE", "2026-01-01T00:00:00+00:00"),
        ("createdAt", "LT", "2026-02-01T00:00:00+00:00"),
    ]
    assert body["orderBy"] == "name desc"


def test_running_is_every_state_between(fabric, gridloom):
    fabric.answers["POST", FILTER] = {"data": []}
    gridloom("job", "filter", "--state", "running")
    states = set(fabric.bodies("POST", FILTER)[0]["filters"][0]["value"])
    assert states == set(JobState) - set(JOB_FINAL) - {JobState.NEW}


def test_a_word_that_is_no_state_is_wrong_usage(gridloom):
    code, _, err = gridloom("job", "filter", "--state", "happy")
    assert code == 2
    assert "tasks_completed" in err


def test_a_task_is_shown_by_its_chunk_or_id(fabric, gridloom):
    found = {"id": "t", "state": "Failed", "exitCode": 3, "price": 6.89e-06}
    for stage, chunk in ((Stage.APP, 3), (Stage.PARTITION, 0)):
        path = f"/v1/customer/jobs/{JOB_ID}/tasks/{task_id(JOB_ID, stage, chunk)}"
        fabric.answers["GET", path] = {"task": found}
    out = gridloom("job", "task", JOB_ID, 3)[1]
    assert "exitCode     3" in out or "exitCode  3" in out
    assert "0.00000689" in out
    assert gridloom("job", "task", JOB_ID, 0, "--stage", "partition")[0] == 0
    assert gridloom("job", "task", JOB_ID, task_id(JOB_ID, Stage.APP, 3))[0] == 0
