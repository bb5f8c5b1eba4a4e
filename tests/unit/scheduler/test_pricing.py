"""What a job costs is the sum of what its completed app tasks cost, whatever happens to them."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gridloom.devices import Needs
from gridloom.money import UNIT
from gridloom.states import EndReason, JobState, Stage, TaskState
from scheduler import ending
from storage.tables import transactions
from tests.fixtures.fabric import chunk, plan_of, result, stage_of

HOUR = timedelta(hours=1)


def ran(fabric, job_id, index, hours=1.0, attempt=1):
    """Return the result of a task that ran that long, and was leased before."""
    done = result(index, attempt)
    start = done.ended_at - HOUR * hours
    fabric.set_task(job_id, index, received_at=start - HOUR)
    return done.model_copy(update={"started_at": start})


def payments(fabric, job_id):
    with fabric.database.read() as connection:
        rows = connection.execute(select(transactions).where(transactions.c.settles == f"job:{job_id}"))
        return [row.amount for row in rows]


def assert_consistent(fabric, job_id):
    done = [row for row in fabric.tasks(job_id) if row.state == TaskState.COMPLETED]
    assert fabric.job(job_id).price == sum(row.price for row in done)
    assert fabric.job(job_id).completed == len(done)
    assert all(row.price is None for row in fabric.tasks(job_id) if row.state != TaskState.COMPLETED)


def test_a_task_pays_for_its_run_on_what_it_was_given(fabric):
    needs = Needs(cores=64, memory_mib=512, gpus=("tesla t4",))
    job_id, worker_id = fabric.run_chunks(2, plan_of(app=stage_of(needs))), fabric.worker(cores=4.0)
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1)
    fabric.commit(worker_id, job_id, Stage.APP, ran(fabric, job_id, 0, 1.5), result(1, 1))
    assert [row.price for row in fabric.tasks(job_id)] == [6 * UNIT, 0]
    assert fabric.job(job_id).price == 6 * UNIT
    assert [row.price for row in fabric.tasks(job_id, Stage.PARTITION)] == [None]


def test_no_worker_can_make_a_task_dearer_than_its_lease_was_long(fabric):
    job_id, worker_id = fabric.run_chunks(1), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    done = result(0, 1)
    fabric.commit(worker_id, job_id, Stage.APP, done.model_copy(update={"started_at": done.ended_at - HOUR}))
    assert fabric.job(job_id).price < UNIT / 60


def test_a_result_that_is_sent_twice_is_paid_once(fabric):
    job_id, worker_id = fabric.run_chunks(2), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    done = ran(fabric, job_id, 0)
    fabric.commit(worker_id, job_id, Stage.APP, done, done)
    fabric.commit(worker_id, job_id, Stage.APP, done)
    assert fabric.job(job_id).price == UNIT
    assert_consistent(fabric, job_id)


@pytest.mark.parametrize("end", ["complete", "fail", "abort"])
def test_a_job_is_paid_once_at_its_end_for_what_was_completed(fabric, end):
    job_id, worker_id = fabric.run_chunks(2), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1)
    fabric.commit(worker_id, job_id, Stage.APP, ran(fabric, job_id, 0))
    assert payments(fabric, job_id) == []
    if end == "complete":
        fabric.commit(worker_id, job_id, Stage.APP, ran(fabric, job_id, 1))
        fabric.progress(job_id)
        fabric.claim(worker_id, job_id, Stage.ASSEMBLE, 0)
        fabric.commit(worker_id, job_id, Stage.ASSEMBLE, result(0, 1))
        fabric.commit(worker_id, job_id, Stage.ASSEMBLE, result(0, 1))
    elif end == "fail":
        fabric.fail(worker_id, job_id, (1, 1), EndReason.EXIT_NONZERO)
        fabric.progress(job_id)
    else:
        assert fabric.write(ending.abort, job_id, fabric.settings)
    assert fabric.job(job_id).ended_at is not None
    assert not fabric.write(ending.fail, job_id, EndReason.JOB_TIMEOUT, "late", fabric.settings)
    late = fabric.commit(worker_id, job_id, Stage.APP, ran(fabric, job_id, 1))
    assert late.dropped == (() if end == "complete" else ((1, 1),))
    assert payments(fabric, job_id) == [fabric.job(job_id).price] == [UNIT * (2 if end == "complete" else 1)]
    assert_consistent(fabric, job_id)


def test_a_job_that_fails_before_any_task_costs_0(fabric):
    job_id = fabric.run()
    fabric.write(ending.fail, job_id, EndReason.UNPLACEABLE, "no place", fabric.settings)
    assert payments(fabric, job_id) == [0]
    assert fabric.state(job_id) is JobState.FAILED


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("complete"), st.integers(0, 4)),
        st.tuples(st.just("lapse"), st.integers(0, 4)),
        st.tuples(st.just("rewrite"), st.integers(0, 4)),
        st.tuples(st.just("shrink"), st.integers(1, 5)),
    ),
    max_size=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_price_of_a_job_is_always_that_of_its_completed_tasks(fabric, steps):
    """Partitioners are started again, write other bytes or fewer chunks; attempts are lost and repeated."""
    job_id, partitioner = fabric.run(), fabric.worker("partitioner")
    fabric.claim(partitioner, job_id, Stage.PARTITION, 0)
    fabric.register(partitioner, job_id, 1, *(chunk(it) for it in range(5)))
    worker_id, known = fabric.worker(), 5
    for version, (step, number) in enumerate(steps):
        if step == "shrink":
            fabric.commit(partitioner, job_id, Stage.PARTITION, result(0, 1, total=number))
            known = len(fabric.tasks(job_id))
        elif step == "rewrite" and fabric.state(job_id) is JobState.PARTITIONING:
            fabric.register(partitioner, job_id, 1, chunk(number, f"v{version}"))
        elif number < known and (won := fabric.claim(worker_id, job_id, Stage.APP, number)):
            if step == "lapse":
                fabric.lapse(job_id, number)
                fabric.skip_waits()
            else:
                done = ran(fabric, job_id, number, 0.1 * (number + 1), won[number])
                fabric.commit(worker_id, job_id, Stage.APP, done, done)
        assert_consistent(fabric, job_id)
    fabric.write(ending.abort, job_id, fabric.settings)
    assert payments(fabric, job_id) == [fabric.job(job_id).price]
