"""Chunks that are written again take their tasks with them."""

from gridloom.states import Stage, TaskState
from storage.repositories import chunks


def test_other_bytes_start_a_task_again_and_shut_out_who_runs_it(fabric):
    job_id, worker_id = fabric.run_chunks(3), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    fabric.set_task(job_id, 1, state=TaskState.COMPLETED, results=[["a", 1, "k", 0]])
    fabric.set_task(job_id, 2, state=TaskState.FAILED)
    place = {"key": "new", "offset": 7, "size": 2, "sha256": "b", "etag": "e"}
    fabric.write(chunks.reset, job_id, [place | {"at_chunk": it} for it in range(3)])
    fabric.write(chunks.reset, job_id, [])
    assert fabric.states(job_id) == [TaskState.SCHEDULED, TaskState.SCHEDULED, TaskState.FAILED]
    first, second, failed = fabric.tasks(job_id)
    assert (first.attempt, first.worker_id, first.chunk_key, first.chunk_offset) == (2, None, "new", 7)
    assert (second.results, second.chunk_etag, failed.chunk_key) == (None, "e", "pack")


def test_chunks_past_the_end_vanish_and_completed_ones_among_them_are_counted_and_priced(fabric):
    job_id = fabric.run_chunks(4)
    fabric.set_task(job_id, 3, state=TaskState.COMPLETED, price=7)
    fabric.set_task(job_id, 2, price=5)
    assert fabric.write(chunks.drop_from, job_id, 2) == (1, 7)
    assert [row.chunk for row in fabric.tasks(job_id)] == [0, 1]


def test_chunks_are_counted_by_the_key(fabric):
    job_id = fabric.run_chunks(3)
    assert fabric.write(chunks.count, job_id, below=2) == 2
    plans = fabric.query_plans(lambda connection: chunks.count(connection, job_id, below=2))
    assert set(plans) <= {"SEARCH tasks USING PRIMARY KEY (job_id=? AND stage=? AND chunk<?)"}
