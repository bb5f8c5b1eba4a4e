"""A job goes on when nothing of its stage is open, and its output holds every result once."""

from gridloom.states import EndReason, JobState, Stage, TaskState
from tests.fixtures.fabric import result


def test_assembly_waits_for_the_last_task(fabric):
    job_id = fabric.run_chunks(2)
    fabric.complete(job_id, ["a"])
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.PARTITIONED
    fabric.claim(fabric.worker(), job_id, Stage.APP, 1)
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.PARTITIONED
    assert fabric.tasks(job_id, Stage.ASSEMBLE) == []


def test_the_assembler_is_a_task_made_once(fabric):
    job_id = fabric.run_chunks(1)
    fabric.complete(job_id, ["a"])
    for _ in range(2):
        fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.TASKS_COMPLETED
    assert fabric.states(job_id, Stage.ASSEMBLE) == [TaskState.SCHEDULED]


def test_finished_tasks_of_an_unfinished_partitioner_start_nothing(fabric):
    job_id = fabric.run_chunks(1)
    fabric.set_job(job_id, state=JobState.PARTITIONING)
    fabric.complete(job_id, ["a"])
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.PARTITIONING


def test_a_failed_task_fails_the_job_in_its_words(fabric):
    job_id = fabric.run()
    worker_id = fabric.worker()
    fabric.claim(worker_id, job_id, Stage.PARTITION, 0)
    failed = result(0, 1, reason=EndReason.DATA_SOURCE, message="404 Not Found")
    fabric.commit(worker_id, job_id, Stage.PARTITION, failed)
    fabric.progress(job_id)
    row = fabric.job(job_id)
    assert (row.state, row.end_reason) == (JobState.FAILED, EndReason.DATA_SOURCE)
    assert row.error_message == "the partitioner failed: 404 Not Found"


def test_an_ended_job_and_no_job_stay_as_they_are(fabric):
    job_id = fabric.run_chunks(1)
    fabric.complete(job_id, ["a"])
    fabric.set_job(job_id, state=JobState.ABORTED)
    fabric.progress(job_id)
    fabric.progress("nothing")
    fabric.progress("")
    assert fabric.state(job_id) is JobState.ABORTED
