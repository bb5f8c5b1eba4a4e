"""Chunks become tasks while the partitioner runs; a second run of it keeps what is the same."""

import pytest

from gridloom.errors import LeaseLost
from gridloom.states import JobState, Stage, TaskState
from scheduler import fanout
from tests.fixtures.fabric import chunk, result


@pytest.fixture
def partitioning(fabric):
    """Return a worker and a job whose partitioner it runs under attempt 1."""
    job_id, worker_id = fabric.run(), fabric.worker("partitioner")
    fabric.claim(worker_id, job_id, Stage.PARTITION, 0)
    return worker_id, job_id


def restart(fabric, job_id):
    """Let the partitioner's worker be lost and another run it; return that one."""
    worker_id = fabric.worker("partitioner")
    fabric.skip_waits()
    assert fabric.claim(worker_id, job_id, Stage.PARTITION, 0) == {0: 2}
    return worker_id


def counters(fabric, job_id):
    row = fabric.job(job_id)
    return row.chunks, row.completed


def test_a_chunk_is_a_task_at_once(fabric, partitioning):
    worker_id, job_id = partitioning
    assert fabric.state(job_id) is JobState.UPLOADING
    fabric.register(worker_id, job_id, 1, chunk(1, "bb"), chunk(0))
    assert [(row.state, row.chunk_key, row.chunk_size) for row in fabric.tasks(job_id)] == [
        (TaskState.SCHEDULED, "pack", 1),
        (TaskState.SCHEDULED, "pack", 2),
    ]
    assert fabric.state(job_id) is JobState.PARTITIONING
    assert counters(fabric, job_id) == (2, 0)
    assert fabric.claim(fabric.worker(), job_id, Stage.APP, 1) == {1: 1}


def test_the_same_chunks_sent_twice_are_the_same_tasks(fabric, partitioning):
    worker_id, job_id = partitioning
    for _ in range(2):
        fabric.register(worker_id, job_id, 1, chunk(0), chunk(1), chunk(1))
    assert fabric.states(job_id) == [TaskState.SCHEDULED] * 2
    assert counters(fabric, job_id) == (2, 0)


def test_a_second_run_that_writes_the_same_bytes_keeps_results_and_leases(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.register(worker_id, job_id, 1, chunk(0), chunk(1))
    runner = fabric.worker("runner")
    fabric.claim(runner, job_id, Stage.APP, 0, 1)
    fabric.commit(runner, job_id, Stage.APP, result(0, 1))
    fabric.register(restart(fabric, job_id), job_id, 2, chunk(0, key="other"), chunk(1, key="other"))
    assert fabric.states(job_id) == [TaskState.COMPLETED, TaskState.RECEIVED]
    assert counters(fabric, job_id) == (2, 1)
    assert fabric.commit(runner, job_id, Stage.APP, result(1, 1)).dropped == ()


def test_a_second_run_that_writes_other_bytes_starts_the_tasks_again(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.register(worker_id, job_id, 1, chunk(0), chunk(1))
    runner = fabric.worker("runner")
    fabric.claim(runner, job_id, Stage.APP, 0, 1)
    fabric.commit(runner, job_id, Stage.APP, result(0, 1))
    fabric.register(restart(fabric, job_id), job_id, 2, chunk(0, "new"), chunk(1, "new"))
    assert [(row.state, row.attempt, row.chunk_size, row.results) for row in fabric.tasks(job_id)] == [
        (TaskState.SCHEDULED, 2, 3, None)
    ] * 2
    assert counters(fabric, job_id) == (2, 0)
    assert fabric.renew(runner, job_id, Stage.APP, (1, 1)) == set()
    assert fabric.commit(runner, job_id, Stage.APP, result(1, 1)).dropped == ((1, 1),)
    assert fabric.commit(runner, job_id, Stage.APP, result(1, 2)).dropped == ((1, 2),)
    assert fabric.claim(runner, job_id, Stage.APP, 0) == {0: 3}


def test_only_who_holds_the_partitioner_may_add_chunks(fabric, partitioning):
    worker_id, job_id = partitioning
    restart(fabric, job_id)
    for worker, attempt in ((worker_id, 1), (worker_id, 2), ("other", 1)):
        with pytest.raises(LeaseLost, match=r"attempt . of job"):
            fabric.register(worker, job_id, attempt, chunk(0))
        with pytest.raises(LeaseLost, match="no longer yours"):
            fabric.write(fanout.begin_phase, worker, job_id, Stage.PARTITION, attempt)
    assert fabric.tasks(job_id) == []


def test_the_partitioners_own_start_is_noted(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.write(fanout.begin_phase, worker_id, job_id, Stage.PARTITION, 1)
    assert fabric.state(job_id) is JobState.PARTITIONING


def test_other_bytes_do_not_bring_a_failed_task_back(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.register(worker_id, job_id, 1, chunk(0))
    fabric.set_task(job_id, 0, state=TaskState.FAILED)
    fabric.register(worker_id, job_id, 1, chunk(0, "other"))
    assert [row.state for row in fabric.tasks(job_id)] == [TaskState.FAILED]


def test_objects_of_the_source_keep_their_tasks_until_one_is_changed(fabric, partitioning):
    worker_id, job_id = partitioning
    first, second = (
        chunk(index, key=f"in/{index}").model_copy(update={"etag": f"e{index}"}) for index in range(2)
    )
    fabric.register(worker_id, job_id, 1, first, second)
    assert [(row.chunk_key, row.chunk_etag) for row in fabric.tasks(job_id)] == [
        ("in/0", "e0"),
        ("in/1", "e1"),
    ]
    fabric.claim(fabric.worker("runner"), job_id, Stage.APP, 0, 1)
    changed = second.model_copy(update={"etag": "e2", "sha256": "another"})
    fabric.register(restart(fabric, job_id), job_id, 2, first, changed)
    assert fabric.states(job_id) == [TaskState.RECEIVED, TaskState.SCHEDULED]
    assert [row.chunk_etag for row in fabric.tasks(job_id)] == ["e0", "e2"]
