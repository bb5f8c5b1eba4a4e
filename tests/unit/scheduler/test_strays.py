"""What a worker was given without hearing of it is free again soon, and nothing else is."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gridloom.states import Stage, TaskState
from gridloom.wire import Hold
from scheduler import strays
from tests.fixtures.fabric import result


@pytest.fixture
def claimed(fabric):
    """Return a worker and a job whose two chunks it won a while ago without renewing them since."""
    job_id, worker_id = fabric.run_chunks(2), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1)
    age(fabric, job_id, 0, 1)
    return worker_id, job_id


@pytest.fixture(autouse=True)
def logs():
    with capture_logs() as found:
        yield found


def age(fabric, job_id, *chunks, age_s=strays.STRAY_S + 1):
    until = datetime.now(UTC) + timedelta(seconds=fabric.settings.lease_s - age_s)
    for index in chunks:
        fabric.set_task(job_id, index, lease_until=until)


def hold(job_id, index, attempt=1):
    return Hold(job_id=job_id, stage=Stage.APP, chunk=index, attempt=attempt)


def release(fabric, worker_id, *holds):
    assert fabric.write(strays.found, worker_id, holds, fabric.settings) in (True, False)
    return fabric.write(strays.release, worker_id, holds, fabric.settings)


def test_a_task_that_its_worker_does_not_name_waits_again_at_nobodys_expense(fabric, claimed, logs):
    worker_id, job_id = claimed
    assert fabric.write(strays.found, worker_id, [hold(job_id, 1)], fabric.settings)
    assert release(fabric, worker_id, hold(job_id, 1)) == {job_id}
    assert fabric.states(job_id) == [TaskState.SCHEDULED, TaskState.RECEIVED]
    row = fabric.task(job_id)
    assert (row.attempt, row.user_failures, row.infra_failures, row.kills) == (1, 0, 0, 0)
    assert fabric.attempts(job_id) == []
    assert [it["event"] for it in logs] == ["strays_released"]
    # An answer to the claim that arrives after all leads to nothing.
    assert fabric.commit(worker_id, job_id, Stage.APP, result(0, 1)).dropped == ((0, 1),)
    assert fabric.claim(worker_id, job_id, Stage.APP, 0) == {0: 2}


def test_a_running_one_is_free_as_well(fabric, claimed):
    worker_id, job_id = claimed
    fabric.set_task(job_id, 0, state=TaskState.RUNNING)
    release(fabric, worker_id, hold(job_id, 1))
    assert fabric.states(job_id)[0] == TaskState.SCHEDULED


def test_another_attempt_of_the_same_task_is_another_lease(fabric, claimed):
    worker_id, job_id = claimed
    release(fabric, worker_id, hold(job_id, 0, attempt=7), hold(job_id, 1))
    assert fabric.states(job_id)[0] == TaskState.SCHEDULED


def test_young_leases_and_named_ones_and_those_of_others_stay(fabric, claimed):
    worker_id, job_id = claimed
    assert release(fabric, worker_id, hold(job_id, 0), hold(job_id, 1)) == set()
    assert release(fabric, fabric.worker("other")) == set()
    age(fabric, job_id, 0, 1, age_s=strays.STRAY_S - 5)
    assert not fabric.write(strays.found, worker_id, [], fabric.settings)
    assert release(fabric, worker_id) == set()
    assert fabric.states(job_id) == [TaskState.RECEIVED] * 2


def test_what_was_renewed_or_committed_meanwhile_stays(fabric, claimed, monkeypatch):
    """Between the first look and the locks, another heartbeat and a commit go through."""
    worker_id, job_id = claimed

    def meanwhile(connection, job_ids):
        monkeypatch.undo()
        age(fabric, job_id, 0, age_s=0)
        fabric.commit(worker_id, job_id, Stage.APP, result(1, 1))

    if fabric.database.is_sqlite:
        pytest.skip("one transaction at a time writes")
    monkeypatch.setattr(strays.job_states, "lock", meanwhile)
    assert release(fabric, worker_id) == set()
    assert fabric.states(job_id) == [TaskState.RECEIVED, TaskState.COMPLETED]


def test_commits_and_releases_at_once_do_not_wait_for_each_other_for_ever(fabric):
    job_id, worker_id = fabric.run_chunks(40), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, *range(40))
    age(fabric, job_id, *range(40))
    barrier = threading.Barrier(2)

    def commit():
        barrier.wait()
        dropped = [fabric.commit(worker_id, job_id, Stage.APP, result(it, 1)).dropped for it in range(20)]
        return sum(map(len, dropped))

    def free():
        barrier.wait()
        return [release(fabric, worker_id, *(hold(job_id, it) for it in range(30))) for _ in range(10)]

    with ThreadPoolExecutor(2) as pool:
        dropped, freed = pool.submit(commit), pool.submit(free)
        assert dropped.result() == 0
        assert freed.result() == [{job_id}] + [set()] * 9
    states = fabric.states(job_id)
    assert states == [TaskState.COMPLETED] * 20 + [TaskState.RECEIVED] * 10 + [TaskState.SCHEDULED] * 10
