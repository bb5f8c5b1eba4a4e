"""What nobody reports is found by looking: lapsed leases, late jobs, jobs without a machine."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gridloom.states import EndReason, JobState, Stage, TaskState
from scheduler import reconcile
from scheduler.placement import NoPlace
from scheduler.reconcile import Reconciler
from tests.fixtures.clock import Clock
from tests.fixtures.fabric import result

PAST = datetime.now(UTC) - timedelta(minutes=1)
NEVER = NoPlace(why="no GPU anywhere", final=True)


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(reconcile, "time", found)
    return found


@pytest.fixture
def reconciler(fabric, clock):
    found = Reconciler(fabric.database, fabric.settings)
    clock.now += fabric.settings.lease_s
    return found


@pytest.fixture
def held(fabric):
    """Return a worker and a job of which it holds chunk 0."""
    job_id, worker_id = fabric.run_chunks(2), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    return worker_id, job_id


def test_a_lapsed_lease_is_ended_at_the_fabrics_expense(fabric, held, reconciler):
    _, job_id = held
    assert reconciler.expire_leases() == set()
    fabric.set_task(job_id, 0, lease_until=PAST)
    with capture_logs() as logs:
        assert reconciler.expire_leases() == {job_id}
    row = fabric.task(job_id, 0)
    assert (row.state, row.reason, row.infra_failures) == (TaskState.SCHEDULED, EndReason.WORKER_LOST, 1)
    assert [(it["event"], it["chunk"]) for it in logs] == [("lease_expired", 0)]
    assert reconciler.expire_leases() == set()


def test_workers_get_a_leases_time_to_renew_after_a_start_and_after_an_outage(fabric, held, clock):
    _, job_id = held
    fabric.set_task(job_id, 0, lease_until=PAST)
    reconciler = Reconciler(fabric.database, fabric.settings)
    assert reconciler.expire_leases() == set()
    clock.now += fabric.settings.lease_s
    reconciler.be_patient()
    assert reconciler.expire_leases() == set()
    clock.now += fabric.settings.lease_s
    assert reconciler.expire_leases() == {job_id}


def test_a_stage_that_loses_its_worker_costs_a_lease_and_not_the_job(fabric, reconciler):
    job_id, worker_id = fabric.run(), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.PARTITION, 0)
    fabric.set_task(job_id, 0, Stage.PARTITION, lease_until=PAST)
    with capture_logs():
        assert reconciler.expire_leases() == {job_id}
    fabric.skip_waits()
    assert fabric.claim(worker_id, job_id, Stage.PARTITION, 0) == {0: 2}
    assert fabric.commit(worker_id, job_id, Stage.PARTITION, result(0, 1, total=0)).dropped == ((0, 1),)


def test_a_job_past_its_time_fails(fabric, held, reconciler):
    worker_id, job_id = held
    other = fabric.run()
    fabric.set_job(job_id, deadline_at=PAST)
    assert reconciler.end_overdue() == {job_id}
    assert reconciler.end_overdue() == set()
    row = fabric.job(job_id)
    assert (row.state, row.end_reason) == (JobState.FAILED, EndReason.JOB_TIMEOUT)
    assert set(fabric.states(job_id)) == {TaskState.CANCELLED}
    assert fabric.renew(worker_id, job_id, Stage.APP, (0, 1)) == set()
    assert fabric.state(other) is JobState.STARTED


def test_a_job_without_a_place_fails_after_its_time_with_the_reason(fabric, reconciler, clock):
    job_id = fabric.run()
    assert reconciler.end_homeless({job_id: NEVER}) == set()
    clock.now += fabric.settings.unplaceable_s - 1
    assert reconciler.end_homeless({job_id: NEVER}) == set()
    clock.now += 1
    assert reconciler.end_homeless({job_id: NEVER}) == {job_id}
    row = fabric.job(job_id)
    assert (row.state, row.end_reason, row.error_message) == (
        JobState.FAILED,
        EndReason.UNPLACEABLE,
        "no GPU anywhere",
    )


def test_a_machine_that_came_and_went_starts_the_time_again(fabric, reconciler, clock):
    job_id = fabric.run()
    reconciler.end_homeless({job_id: NEVER})
    clock.now += fabric.settings.unplaceable_s
    assert reconciler.end_homeless({}) == set()
    assert reconciler.end_homeless({job_id: NEVER}) == set()


def test_a_job_waits_for_ever_for_the_first_worker(fabric, reconciler, clock):
    job_id, reason = fabric.run(), NoPlace(why="no worker is connected", final=False)
    for _ in range(2):
        assert reconciler.end_homeless({job_id: reason}) == set()
        clock.now += fabric.settings.unplaceable_s
    assert fabric.state(job_id) is JobState.STARTED
