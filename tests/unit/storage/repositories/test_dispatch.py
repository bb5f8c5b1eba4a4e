"""What may be handed out, what was, and what has to be taken back."""

from datetime import UTC, datetime, timedelta

from gridloom.states import JobState, Stage, TaskState
from storage.repositories import dispatch


def test_waiting_tasks_come_in_chunk_order_and_only_when_their_time_has_come(fabric):
    job_id = fabric.run_chunks(5)
    fabric.set_task(job_id, 0, state=TaskState.COMPLETED)
    fabric.set_task(job_id, 2, not_before=datetime.now(UTC) + timedelta(minutes=1), infra_failures=2)
    fabric.set_task(job_id, 3, not_before=datetime.now(UTC) - timedelta(minutes=1), infra_failures=1)
    rows = fabric.write(dispatch.next_chunks, job_id, Stage.APP, 9)
    assert [tuple(row) for row in rows] == [(1, 0), (3, 1), (4, 0)]
    assert len(fabric.write(dispatch.next_chunks, job_id, Stage.APP, 2)) == 2


def test_a_task_is_handed_out_once(fabric):
    job_id, worker_id = fabric.run_chunks(3), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 2)
    assert fabric.write(dispatch.mark_assigned, job_id, Stage.APP, [0, 2, 9]) == {0}
    assert fabric.write(dispatch.mark_assigned, job_id, Stage.APP, [0, 1]) == {1}


def test_only_old_unclaimed_hints_are_taken_back(fabric):
    job_id, worker_id = fabric.run_chunks(4), fabric.worker()
    fabric.write(dispatch.mark_assigned, job_id, Stage.APP, [0, 1, 2])
    fabric.claim(worker_id, job_id, Stage.APP, 2)
    fabric.set_task(job_id, 0, hinted_at=datetime.now(UTC) - timedelta(seconds=31))
    fabric.set_task(job_id, 2, hinted_at=datetime.now(UTC) - timedelta(seconds=31))
    assert fabric.write(dispatch.take_back, job_id, Stage.APP, older_than_s=30) == 1
    assert fabric.states(job_id) == [
        TaskState.SCHEDULED,
        TaskState.ASSIGNED,
        TaskState.RECEIVED,
        TaskState.SCHEDULED,
    ]


def test_named_hints_are_taken_back_at_once(fabric):
    job_id = fabric.run_chunks(2)
    fabric.write(dispatch.mark_assigned, job_id, Stage.APP, [0, 1])
    assert fabric.write(dispatch.take_back, job_id, Stage.APP, older_than_s=0, chunks=[1]) == 1
    assert fabric.states(job_id) == [TaskState.ASSIGNED, TaskState.SCHEDULED]


def test_tasks_in_flight_are_counted_for_live_jobs(fabric):
    one, other, ended = fabric.run_chunks(3), fabric.run(), fabric.run_chunks(1)
    for job_id in (one, ended):
        fabric.write(dispatch.mark_assigned, job_id, Stage.APP, [0, 1])
    fabric.claim(fabric.worker(), one, Stage.APP, 1)
    fabric.set_job(ended, state=JobState.ABORTED)
    assert [tuple(row) for row in fabric.write(dispatch.in_flight)] == [(one, Stage.APP, 1, 2)]
    assert fabric.state(other) is JobState.STARTED


def test_a_round_reads_an_index_however_many_tasks_a_job_has(fabric):
    job_id = fabric.run_chunks(2)

    def look(connection):
        dispatch.next_chunks(connection, job_id, Stage.APP, 5)
        dispatch.in_flight(connection)
        dispatch.take_back(connection, job_id, Stage.APP, older_than_s=1)

    plans = fabric.query_plans(look)
    assert all("ix_tasks_todo" in plan for plan in plans), plans
    assert not any("(job_id=? AND stage=?)" in plan for plan in plans), plans
