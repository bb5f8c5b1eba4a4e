"""What a transaction did is handed on when it is committed, once, and never when it is not."""

import threading
from contextlib import closing, suppress

import pytest

from gridloom.states import EndReason, JobState, Stage, TaskState
from scheduler import ending
from storage.db import Database
from storage.group_commit import GroupCommitter
from storage.repositories import job_states, jobs, tasks
from tests.fixtures.fabric import Fabric, chunk, result

APP, PARTITION = Stage.APP, Stage.PARTITION


@pytest.fixture
def told():
    return []


@pytest.fixture
def fabric(tables_url, told):
    with closing(Database(tables_url, told.extend)) as database:
        yield Fabric(database)


def moves(told):
    """Return and forget (stage, state, tasks) of what was told."""
    found = [(it.stage, it.state, it.tasks) for change in told for it in change.moves]
    told.clear()
    return found


def test_each_step_of_a_task_is_told_with_its_attempt(fabric, told):
    job_id, worker = fabric.run_chunks(2), fabric.worker()
    told.clear()
    fabric.claim(worker, job_id, APP, 0, 1)
    assert moves(told) == [(APP, TaskState.RECEIVED, ((0, 1), (1, 1)))]
    at = {(0, 1): result(0, 1).ended_at}
    for _ in range(2):  # a heartbeat says it again
        fabric.write(tasks.mark_running, worker, job_id, APP, at)
    assert moves(told) == [(APP, TaskState.RUNNING, ((0, 1),))]
    fabric.commit(worker, job_id, APP, result(0, 1))
    assert told[0].shown
    assert moves(told) == [(APP, TaskState.COMPLETED, ((0, 1),))]
    fabric.commit(worker, job_id, APP, result(0, 1))
    assert moves(told) == []
    assert fabric.write(tasks.release, worker, job_id, APP, [(1, 1), (0, 1)]) == 1
    assert moves(told) == [(APP, TaskState.SCHEDULED, ((1, 1),))]


def test_failures_tell_whether_the_task_is_tried_again(fabric, told):
    job_id, worker = fabric.run_chunks(1), fabric.worker()
    fabric.claim(worker, job_id, APP, 0)
    told.clear()
    fabric.fail(worker, job_id, (0, 1), EndReason.WORKER_LOST)
    assert moves(told) == [(APP, TaskState.SCHEDULED, ((0, 1),))]
    fabric.skip_waits()
    fabric.claim(worker, job_id, APP, 0)
    told.clear()
    fabric.fail(worker, job_id, (0, 2), EndReason.EXIT_NONZERO)
    assert moves(told) == [(APP, TaskState.FAILED, ((0, 2),))]


def test_an_abort_tells_of_the_job_and_its_open_tasks(fabric, told):
    job_id, worker = fabric.run_chunks(3), fabric.worker()
    fabric.claim(worker, job_id, APP, 0)
    fabric.commit(worker, job_id, APP, result(0, 1))
    told.clear()
    fabric.write(ending.abort, job_id, fabric.settings)
    assert [(it.job_id, it.shown) for it in told] == [(job_id, True)]
    assert moves(told) == [(APP, TaskState.CANCELLED, ((1, 0), (2, 0)))]


def test_a_chunk_that_is_written_again_is_told_as_scheduled_again(fabric, told):
    job_id, worker = fabric.run(), fabric.worker()
    attempt = fabric.claim(worker, job_id, PARTITION, 0)[0]
    fabric.register(worker, job_id, attempt, chunk(0), chunk(1))
    told.clear()
    fabric.register(worker, job_id, attempt, chunk(0, "other"), chunk(1))
    assert moves(told) == [(APP, TaskState.SCHEDULED, ((0, 1),))]


def test_drafts_are_told_from_their_making_to_their_end(fabric, told):
    job_id = fabric.draft()
    fabric.write(jobs.change, job_id, name="other")
    fabric.write(job_states.set_warning, job_id, "beware")
    fabric.write(jobs.remove, fabric.owner(), job_id)
    assert [(it.job_id, it.shown, it.deleted) for it in told] == [
        (job_id, True, False),
        (job_id, True, False),
        (job_id, True, False),
        (job_id, False, True),
    ]
    assert told[0].at <= told[1].at


def test_what_is_rolled_back_is_not_told(fabric, told):
    job_id = fabric.draft()
    told.clear()
    with suppress(RuntimeError), fabric.database.write() as connection:
        jobs.change(connection, job_id, name="other")
        raise RuntimeError
    with fabric.database.write():
        pass
    assert told == []


def test_a_transaction_tells_of_each_job_once(fabric, told):
    one, other = fabric.draft(), fabric.draft()
    told.clear()
    with fabric.database.write() as connection:
        for job_id in (one, other, one):
            jobs.change(connection, job_id, name="other")
    assert [it.job_id for it in told] == [one, other]


def test_members_of_a_group_that_fails_are_told_once(fabric, told):
    job_ids = [fabric.draft() for _ in range(3)]
    told.clear()
    began, go = threading.Event(), threading.Event()

    def held(_connection):
        began.set()
        go.wait(10)

    def broken(_connection):
        raise RuntimeError

    def change(job_id):
        return lambda connection: jobs.change(connection, job_id, name="other")

    def run(writer, work):
        with suppress(RuntimeError):
            writer.run(work)

    with closing(GroupCommitter(fabric.database)) as writer:
        threads = [threading.Thread(target=run, args=(writer, held))]
        threads[0].start()
        began.wait(10)
        threads += [threading.Thread(target=run, args=(writer, it)) for it in (*map(change, job_ids), broken)]
        for thread in threads[1:]:
            thread.start()
        while writer._queue.qsize() < 4:
            pass
        go.set()
        for thread in threads:
            thread.join()
    assert sorted(it.job_id for it in told) == sorted(job_ids)


def test_states_of_a_job_are_told(fabric, told):
    job_id = fabric.run_chunks(1)
    told.clear()
    fabric.complete(job_id, ["a.txt"])
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.TASKS_COMPLETED
    assert told[-1].shown
