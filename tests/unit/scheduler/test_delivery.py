"""Output goes to a bucket as a task of its own; where that fails it is kept, and can be delivered again."""

import pytest

from gridloom.errors import BadInput, BadState, NotFound
from gridloom.states import EndReason, JobState, Stage, TaskState
from scheduler import ending
from scheduler.delivery import redeliver
from storage.columns import db_after
from storage.repositories import job_states, jobs, outputs, wallet_pages
from tests.fixtures.fabric import plan_of, result, stage_of

TO_BUCKET = {"destination": "aws", "destination_params": {"bucketName": "b", "name": "out"}}
ELSEWHERE = {"dataSourceDescriptor": "gcp", "params": {"bucketName": "c"}}


@pytest.fixture
def delivering(fabric):
    """Return a job whose results are listed as output, and the worker that has claimed their delivery."""
    job_id = fabric.run_chunks(2, plan_of(assembler=stage_of(passthrough=True), **TO_BUCKET))
    fabric.complete(job_id, ["a"], ["a"])
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.MERGED
    worker_id = fabric.worker()
    assert fabric.claim(worker_id, job_id, Stage.DELIVER, 0) == {0: 1}
    return job_id, worker_id


def end(fabric, delivering, attempt=1, reason=None):
    job_id, worker_id = delivering
    message = "bucket 'b' denies writing" if reason else ""
    fabric.commit(worker_id, job_id, Stage.DELIVER, result(0, attempt, reason=reason, message=message))
    fabric.progress(job_id)
    return fabric.job(job_id)


def expire(fabric, job_id):
    fabric.set_job(job_id, output_expires_at=db_after(-1))


def payments(fabric, job_id):
    with fabric.database.read() as connection:
        row = fabric.job(job_id)
        return [it for it in wallet_pages.every(connection, row.owner_id) if it.kind == "payment"]


def test_output_by_reference_is_delivered_by_a_task(fabric, delivering):
    job_id, _ = delivering
    assert fabric.state(job_id) is JobState.DOWNLOADING
    assert set(fabric.outputs(job_id)) == {"a", "a_1"}
    row = end(fabric, delivering)
    assert (row.state, row.output_epoch, row.price) == (JobState.COMPLETE, 1, 0)
    assert row.output_expires_at >= row.ended_at


def test_an_assemblers_output_is_delivered_by_a_task(fabric):
    job_id, worker_id = fabric.run_chunks(1, plan_of(**TO_BUCKET)), fabric.worker()
    fabric.complete(job_id, ["a"])
    fabric.progress(job_id)
    fabric.claim(worker_id, job_id, Stage.ASSEMBLE, 0)
    fabric.commit(worker_id, job_id, Stage.ASSEMBLE, result(0, 1))
    assert (fabric.state(job_id), fabric.job(job_id).output_epoch) == (JobState.MERGED, 1)
    assert fabric.states(job_id, Stage.DELIVER) == [TaskState.SCHEDULED]


def test_the_worker_that_delivers_is_told_where_to_and_no_keys(fabric):
    job_id = fabric.run_chunks(1, plan_of(assembler=stage_of(passthrough=True), **TO_BUCKET))
    fabric.complete(job_id, ["a"])
    fabric.progress(job_id)
    with fabric.database.read() as connection:
        stage = job_states.plan_of(job_states.find(connection, job_id)).stage(Stage.DELIVER)
    assert (stage.passthrough, stage.component.name, stage.component.image) == (True, "deliver", "")


def test_a_refused_delivery_fails_the_job_and_says_how_to_deliver_again(fabric, delivering):
    row = end(fabric, delivering, reason=EndReason.DESTINATION_REFUSED)
    assert (row.state, row.end_reason) == (JobState.FAILED, EndReason.DESTINATION_REFUSED)
    assert row.error_message.startswith(
        "the delivery failed: bucket 'b' denies writing; the results are kept until "
    )
    assert row.error_message.endswith(f": fix it and run `gridloom job redeliver {row.id}`")
    hours = (row.output_expires_at - row.ended_at).total_seconds() / 3600
    assert hours == pytest.approx(fabric.settings.bucket_hours, abs=0.01)
    with fabric.database.read() as connection:
        assert job_states.purgeable(connection, 48 * 3600, 10) == []


def test_a_destination_out_of_reach_costs_the_fabrics_budget(fabric, delivering):
    job_id, _ = delivering
    assert end(fabric, delivering, reason=EndReason.DESTINATION).state == JobState.DOWNLOADING
    row = fabric.task(job_id, stage=Stage.DELIVER)
    assert (row.state, row.infra_failures) == (TaskState.SCHEDULED, 1)
    assert row.not_before is not None


def test_lost_workers_are_not_blamed_on_what_they_delivered(fabric, delivering):
    job_id, worker_id = delivering
    for attempt in range(1, fabric.settings.poison_kills + 2):
        fabric.set_task(job_id, 0, Stage.DELIVER, state=TaskState.RUNNING)
        fabric.lapse(job_id, 0, stage=Stage.DELIVER)
        fabric.skip_waits()
        assert fabric.claim(worker_id, job_id, Stage.DELIVER, 0) == {0: attempt + 1}


@pytest.mark.parametrize("before", [EndReason.DESTINATION_REFUSED, None, "abort"])
def test_an_ended_job_is_delivered_again_and_paid_once(fabric, delivering, before):
    job_id, worker_id = delivering
    if before == "abort":
        fabric.write(ending.abort, job_id, fabric.settings)
    else:
        end(fabric, delivering, reason=before)
    ended = fabric.job(job_id)
    fabric.write(redeliver, job_id, None, fabric.settings)
    row = fabric.job(job_id)
    assert (row.state, row.ended_at, row.end_reason, row.error_message) == (JobState.MERGED, None, None, "")
    assert row.output_expires_at > ended.output_expires_at
    assert ended.state not in row.state_times
    # The first attempt is over, whatever its worker may still say.
    late = fabric.commit(worker_id, job_id, Stage.DELIVER, result(0, 1))
    assert late.dropped == ((0, 1),)
    assert fabric.claim(worker_id, job_id, Stage.DELIVER, 0) == {0: 2}
    again = end(fabric, delivering, attempt=2)
    assert (again.state, again.completed, again.chunks) == (JobState.COMPLETE, 2, 2)
    assert len(payments(fabric, job_id)) == 1
    assert [it.attempt for it in fabric.attempts(job_id) if it.stage == Stage.DELIVER] == [1]


def test_output_can_be_delivered_to_another_place(fabric, delivering):
    job_id, _ = delivering
    end(fabric, delivering, reason=EndReason.DESTINATION_REFUSED)
    fabric.write(redeliver, job_id, ELSEWHERE, fabric.settings)
    row = fabric.job(job_id)
    assert row.data_destination == ELSEWHERE
    assert (row.plan["destination"], row.plan["destination_params"]) == ("gcp", {"bucketName": "c"})
    with pytest.raises(BadState, match="only a job that has ended"):
        fabric.write(redeliver, job_id, None, fabric.settings)


def test_what_lies_in_the_temporary_bucket_can_be_delivered_to_a_bucket(fabric):
    job_id = fabric.run_chunks(1, plan_of(assembler=stage_of(passthrough=True)))
    fabric.complete(job_id, ["a"])
    fabric.progress(job_id)
    with pytest.raises(BadState, match="name another destination"):
        fabric.write(redeliver, job_id, None, fabric.settings)
    fabric.write(redeliver, job_id, ELSEWHERE, fabric.settings)
    assert fabric.claim(fabric.worker(), job_id, Stage.DELIVER, 0) == {0: 1}


def test_only_output_that_is_kept_is_delivered_again(fabric, delivering):
    job_id, _ = delivering
    end(fabric, delivering)
    with pytest.raises(BadInput, match="only, not to 'url'"):
        fabric.write(redeliver, job_id, {"dataSourceDescriptor": "url", "params": {}}, fabric.settings)
    expire(fabric, job_id)
    with pytest.raises(BadState, match="was kept until"):
        fabric.write(redeliver, job_id, None, fabric.settings)
    failed = fabric.run_chunks(1, plan_of(**TO_BUCKET))
    fabric.write(ending.fail, failed, EndReason.JOB_TIMEOUT, "late", fabric.settings)
    assert "redeliver" not in fabric.job(failed).error_message
    with pytest.raises(BadState, match="has no output"):
        fabric.write(redeliver, failed, None, fabric.settings)
    with pytest.raises(NotFound):
        fabric.write(redeliver, "nothing", None, fabric.settings)
    fabric.write(jobs.remove, fabric.owner(), job_id)
    with pytest.raises(NotFound):
        fabric.write(redeliver, job_id, None, fabric.settings)


def test_a_bypassed_destination_has_nothing_to_deliver(fabric):
    plan = plan_of(assembler=stage_of(passthrough=True), destination="bypass")
    job_id = fabric.run_chunks(1, plan)
    fabric.complete(job_id, ["a"])
    fabric.progress(job_id)
    with pytest.raises(BadState, match="has no output"):
        fabric.write(redeliver, job_id, ELSEWHERE, fabric.settings)
    with fabric.database.read() as connection:
        assert outputs.count(connection, job_id, 1) == 0
