import pytest
from sqlalchemy import update

from gridloom.states import JobState
from storage.tables import jobs


@pytest.mark.parametrize("path", ["stats", "metrics"])
def test_figures_are_those_of_the_callers_jobs(draft, hello, bob, path):
    kinds = [
        (JobState.COMPLETE, 4, 150_000_000),
        (JobState.COMPLETE, 3, 1),
        (JobState.FAILED, 2, 0),
        (JobState.PARTITIONED, 1, 0),
    ]
    for state, chunks, price in kinds:
        values = {"state": state, "chunks": chunks, "price": price}
        statement = update(jobs).where(jobs.c.id == draft()["id"]).values(**values)
        hello.context.writer.run(lambda connection, statement=statement: connection.execute(statement))
    hello.request("DELETE", f"/v1/customer/jobs/{draft()['id']}")
    seen = hello.get(f"/v1/customer/{path}").json()
    by_state = seen.pop("jobsByState")
    assert seen == {
        "totalJobs": 4,
        "runningJobs": 1,
        "completedJobs": 2,
        "failedJobs": 1,
        "totalTasks": 10,
        "totalSpent": 1.50000001,
    }
    assert set(by_state) == set(JobState)
    assert {state: number for state, number in by_state.items() if number} == {
        "JOB_STATE_COMPLETE": 2,
        "JOB_STATE_FAILED": 1,
        "JOB_STATE_PARTITIONED": 1,
    }
    assert bob.get(f"/v1/customer/{path}").json()["totalJobs"] == 0
