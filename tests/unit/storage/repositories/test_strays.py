"""Leases that nobody has renewed for a while are found by an index, and only those."""

from datetime import UTC, datetime, timedelta

from gridloom.states import Stage, TaskState
from storage.repositories import strays

LEASE_S, FOR_S = 60, 15


def test_only_a_workers_own_leases_that_were_long_not_renewed_are_found(fabric):
    job_id, worker_id, other = fabric.run_chunks(4), fabric.worker(), fabric.worker("other")
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1, 2)
    fabric.claim(other, job_id, Stage.APP, 3)
    now = datetime.now(UTC)
    fabric.set_task(job_id, 0, lease_until=now + timedelta(seconds=LEASE_S - FOR_S + 5))
    for index in (1, 2, 3):
        fabric.set_task(job_id, index, lease_until=now + timedelta(seconds=LEASE_S - FOR_S - 1))
    fabric.set_task(job_id, 2, state=TaskState.RUNNING)
    for lock in (False, True):
        rows = fabric.write(strays.unrenewed, worker_id, lease_s=LEASE_S, for_s=FOR_S, lock=lock)
        assert [tuple(row) for row in rows] == [(job_id, "app", 1, 1), (job_id, "app", 2, 1)]
    fabric.set_task(job_id, 1, state=TaskState.COMPLETED)
    assert len(fabric.write(strays.unrenewed, worker_id, lease_s=LEASE_S, for_s=FOR_S)) == 1


def test_a_heartbeat_does_not_read_every_lease_there_is(fabric):
    fabric.run_chunks(3)
    plans = fabric.query_plans(lambda it: strays.unrenewed(it, "w", lease_s=LEASE_S, for_s=FOR_S))
    assert all("ix_tasks_lease" in plan for plan in plans), plans
