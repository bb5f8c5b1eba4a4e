"""Leases change hands by compare-and-set alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from gridloom.ids import new_uuid
from gridloom.states import EndReason, JobState, Stage, TaskState
from storage.repositories import tasks


def test_two_workers_that_claim_at_once_win_each_task_once(fabric):
    job_id = fabric.run_chunks(200)
    workers = [fabric.worker(name) for name in "abcd"]
    barrier = threading.Barrier(len(workers))

    def claim_all(worker_id):
        barrier.wait()
        return [
            it
            for at in range(0, 200, 20)
            for it in fabric.claim(worker_id, job_id, Stage.APP, *range(at, at + 20))
        ]

    with ThreadPoolExecutor(len(workers)) as pool:
        won = list(pool.map(claim_all, workers))
    assert sorted(it for each in won for it in each) == list(range(200))
    assert {row.attempt for row in fabric.tasks(job_id)} == {1}
    for worker_id, chunks in zip(workers, won, strict=True):
        assert {row.chunk for row in fabric.tasks(job_id) if row.worker_id == worker_id} == set(chunks)


def test_a_claim_wins_waiting_tasks_only(fabric):
    job_id, one, other = fabric.run_chunks(4), fabric.worker("a"), fabric.worker("b")
    assert fabric.claim(one, job_id, Stage.APP, 1, 0, 99) == {0: 1, 1: 1}
    assert fabric.claim(other, job_id, Stage.APP, 0, 1, 2) == {2: 1}
    fabric.set_task(job_id, 3, not_before=datetime.now(UTC) + timedelta(minutes=1))
    assert fabric.claim(other, job_id, Stage.APP, 3) == {}
    assert fabric.claim(other, job_id, Stage.ASSEMBLE, 0) == {}
    assert fabric.claim(other, new_uuid(), Stage.APP, 0) == {}


def test_a_claim_of_an_ended_jobs_task_wins_nothing(fabric):
    job_id, worker_id = fabric.run_chunks(1), fabric.worker()
    fabric.set_job(job_id, state=JobState.ABORTED)
    assert fabric.claim(worker_id, job_id, Stage.APP, 0) == {}


def test_a_lease_is_renewed_by_its_holder_alone(fabric):
    job_id, worker_id = fabric.run_chunks(3), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1)
    before = fabric.task(job_id, 0).lease_until
    held = [(0, 1), (1, 1), (1, 2), (2, 0), (2, 1)]
    assert fabric.renew(worker_id, job_id, Stage.APP, *held) == {(0, 1), (1, 1)}
    assert fabric.task(job_id, 0).lease_until > before
    assert fabric.renew("another", job_id, Stage.APP, *held) == set()
    assert fabric.renew(worker_id, job_id, Stage.APP) == set()


def test_a_lease_that_lapsed_unnoticed_can_be_renewed(fabric):
    job_id, worker_id = fabric.run_chunks(1), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    fabric.set_task(job_id, 0, lease_until=datetime.now(UTC) - timedelta(minutes=1))
    assert fabric.renew(worker_id, job_id, Stage.APP, (0, 1)) == {(0, 1)}
    assert fabric.write(tasks.expired, 10) == []


def test_only_held_tasks_start_to_run(fabric):
    job_id, worker_id = fabric.run_chunks(3), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1)
    at = datetime.now(UTC)
    fabric.write(tasks.mark_running, worker_id, job_id, Stage.APP, {(0, 1): at, (1, 9): at, (2, 1): at})
    fabric.write(tasks.mark_running, worker_id, job_id, Stage.APP, {})
    assert fabric.states(job_id) == [TaskState.RUNNING, TaskState.RECEIVED, TaskState.SCHEDULED]
    assert fabric.task(job_id, 0).started_at == at


def test_a_released_task_waits_again_and_its_old_attempt_can_write_no_more(fabric):
    job_id, worker_id = fabric.run_chunks(2), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1)
    assert fabric.write(tasks.release, worker_id, job_id, Stage.APP, [(0, 1), (1, 7)]) == 1
    assert fabric.states(job_id) == [TaskState.SCHEDULED, TaskState.RECEIVED]
    assert fabric.renew(worker_id, job_id, Stage.APP, (0, 1)) == set()
    assert fabric.claim(worker_id, job_id, Stage.APP, 0) == {0: 2}


def test_a_task_is_held_under_one_attempt_by_one_worker(fabric):
    job_id, worker_id = fabric.run(), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.PARTITION, 0)
    held = (job_id, Stage.PARTITION, 0)
    assert fabric.write(tasks.holds, worker_id, *held, 1)
    assert not fabric.write(tasks.holds, worker_id, *held, 2)
    assert not fabric.write(tasks.holds, "another", *held, 1)


def test_expired_leases_come_oldest_first(fabric):
    job_id, worker_id = fabric.run_chunks(3), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1, 2)
    now = datetime.now(UTC)
    fabric.set_task(job_id, 2, lease_until=now - timedelta(minutes=2))
    fabric.set_task(job_id, 0, lease_until=now - timedelta(minutes=1))
    assert [row.chunk for row in fabric.write(tasks.expired, 10)] == [2, 0]
    assert [row.chunk for row in fabric.write(tasks.expired, 1)] == [2]


def test_cancelling_ends_what_is_open_and_nothing_else(fabric):
    job_id, worker_id = fabric.run_chunks(4), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    fabric.set_task(job_id, 1, state=TaskState.COMPLETED)
    fabric.set_task(job_id, 2, state=TaskState.FAILED)
    assert fabric.write(tasks.cancel_open, job_id) == 1
    assert fabric.states(job_id) == [
        TaskState.CANCELLED,
        TaskState.COMPLETED,
        TaskState.FAILED,
        TaskState.CANCELLED,
    ]
    assert fabric.task(job_id, 0).reason == EndReason.CANCELLED
    assert fabric.renew(worker_id, job_id, Stage.APP, (0, 1)) == set()


def test_a_tick_does_not_read_every_task_there_is(fabric):
    fabric.run_chunks(3)
    plans = fabric.query_plans(
        lambda connection: [tasks.expired(connection, 1), tasks.held_by(connection, ["w"])]
    )
    assert all("ix_tasks_lease" in plan for plan in plans), plans


def test_a_jobs_progress_is_asked_of_an_index(fabric):
    job_id = fabric.run_chunks(3)
    fabric.set_task(job_id, 1, state=TaskState.FAILED)

    def look(connection):
        assert tasks.unfinished(connection, job_id, Stage.APP)
        assert tasks.first_failed(connection, job_id).chunk == 1

    whole_row = "SEARCH tasks USING PRIMARY KEY (job_id=? AND stage=? AND chunk=?)"
    plans = fabric.query_plans(look)
    assert all("ix_tasks_todo" in plan or plan == whole_row for plan in plans), plans
