"""Jobs that end early take what is open of them along."""

import pytest

from gridloom.states import EndReason, JobState, Stage, TaskState
from scheduler import ending


def test_an_aborted_job_leaves_no_open_task(fabric):
    job_id, worker_id = fabric.run_chunks(2), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    assert fabric.write(ending.abort, job_id, fabric.settings)
    row = fabric.job(job_id)
    assert (row.state, row.end_reason, row.error_message) == (
        JobState.ABORTED,
        EndReason.CANCELLED,
        "aborted by its owner",
    )
    assert set(fabric.states(job_id)) == {TaskState.CANCELLED}
    assert fabric.renew(worker_id, job_id, Stage.APP, (0, 1)) == set()
    assert fabric.claim(worker_id, job_id, Stage.APP, 1) == {}


@pytest.mark.parametrize(
    "end", [ending.abort, lambda c, j, s: ending.fail(c, j, EndReason.JOB_TIMEOUT, "late", s)]
)
def test_only_a_live_job_can_be_ended(fabric, end):
    draft, ended = fabric.draft(), fabric.run()
    assert fabric.write(ending.fail, ended, EndReason.UNPLACEABLE, "no place", fabric.settings)
    assert not fabric.write(end, draft, fabric.settings)
    assert not fabric.write(end, ended, fabric.settings)
    assert fabric.state(draft) is JobState.NEW
    assert (fabric.job(ended).state, fabric.job(ended).error_message) == (JobState.FAILED, "no place")
