"""What a job is likely to cost, and the older addresses."""

import pytest
from sqlalchemy import update

from gridloom.money import UNIT
from gridloom.states import JobState
from storage.tables import jobs


def estimation(client, job_id):
    answer = client.get(f"/v1/customer/jobs/estimation/{job_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["estimation"]


@pytest.fixture
def past(draft, hello):
    """Return a function that makes a complete job with these columns."""

    def make(**columns):
        job, where = draft(), jobs.c.id
        values = {"state": JobState.COMPLETE} | columns
        hello.context.writer.run(
            lambda connection: connection.execute(update(jobs).where(where == job["id"]).values(**values))
        )
        return job["id"]

    return make


def test_of_an_unknown_app_ten_minutes_of_one_task_are_expected(hello, draft):
    assert estimation(hello, draft()["id"]) == {
        "totalEstimation": "1",
        "numUnitsEstimation": "1",
        "amount": 0.33333333,
    }


def test_what_jobs_of_the_app_have_cost_is_expected_again(hello, draft, past):
    past(total=10, completed=10, price=10 * UNIT)
    ended = past(total=20, completed=20, price=50 * UNIT)
    past(total=99, completed=99, price=UNIT, template_info={"app_id": "other@1.0"})
    assert estimation(hello, draft()["id"]) == {
        "totalEstimation": "30",
        "numUnitsEstimation": "15",
        "amount": 30,
    }
    assert estimation(hello, ended)["totalEstimation"] == "50"


def test_a_started_job_is_estimated_by_its_own_chunks_and_plan(hello, draft):
    job = draft()
    assert hello.post(f"/v1/customer/jobs/{job['id']}/run").status_code == 200
    assert hello.post("/v1/dev/apps/hello/deactivate").status_code == 200
    likely = estimation(hello, job["id"])
    assert (likely["numUnitsEstimation"], likely["amount"]) == ("1", 0.33333333)


def test_only_the_owner_may_ask(hello, draft, bob):
    job_id = draft()["id"]
    assert bob.get(f"/v1/customer/jobs/estimation/{job_id}").status_code == 404
    assert bob.get("/v1/customer/jobs/estimation/none").status_code == 404


def test_the_older_balance_is_text(ada):
    answer = ada.get("/v1/customer/wallet/balance").json()
    assert (answer["totalBalance"], answer["availableBalance"]) == ("0.00000000", "0.00000000")
