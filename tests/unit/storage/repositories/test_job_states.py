"""A job moves forward only, and an ended one not at all."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from gridloom.states import JOB_LIVE, EndReason, JobState
from storage.repositories import job_states
from storage.tables import attempts

HOUR_S = 3600


def end(fabric, job_id, state=JobState.FAILED):
    return fabric.write(job_states.end, job_id, state, EndReason.CANCELLED, "why")


def test_a_job_passes_every_state_on_its_way_and_notes_when(fabric):
    job_id = fabric.run()
    assert fabric.write(job_states.advance, job_id, JobState.PARTITIONED, total=7)
    row = fabric.job(job_id)
    assert (row.state, row.total) == (JobState.PARTITIONED, 7)
    assert sorted(row.state_times) == sorted(
        [
            JobState.NEW,
            JobState.STARTED,
            JobState.UPLOADING,
            JobState.PARTITIONING,
            JobState.PARTITIONED,
        ]
    )
    assert all(datetime.fromisoformat(it).tzinfo for it in row.state_times.values())
    assert row.submitted_at == row.started_at


@pytest.mark.parametrize("target", [JobState.STARTED, JobState.UPLOADING, JobState.PARTITIONING])
def test_a_job_never_goes_back(fabric, target):
    job_id = fabric.run()
    fabric.write(job_states.advance, job_id, JobState.PARTITIONING)
    assert not fabric.write(job_states.advance, job_id, target, total=7)
    row = fabric.job(job_id)
    assert (row.state, row.total) == (JobState.PARTITIONING, None)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.ABORTED])
def test_an_ended_job_stays_as_it_is(fabric, state):
    job_id = fabric.run()
    assert end(fabric, job_id, state)
    before = fabric.job(job_id)
    assert before.ended_at is not None
    assert not end(fabric, job_id, JobState.ABORTED)
    assert not fabric.write(job_states.advance, job_id, JobState.COMPLETE)
    assert fabric.job(job_id) == before


def test_a_draft_and_no_job_at_all_can_not_be_ended(fabric):
    assert not end(fabric, fabric.draft())
    assert not end(fabric, "nothing")
    assert not fabric.write(job_states.advance, "nothing", JobState.STARTED)


def test_counters_add_up(fabric):
    job_id = fabric.run()
    fabric.write(job_states.add_counts, job_id, chunks=3, completed=2, busy_s=1.5)
    fabric.write(job_states.add_counts, job_id, chunks=1, completed=-1)
    row = fabric.job(job_id)
    assert (row.chunks, row.completed, row.busy_s) == (4, 1, 1.5)


def test_live_jobs_come_by_priority_then_age(fabric):
    first, second, urgent = fabric.run(), fabric.run(), fabric.run(priority=5)
    end(fabric, fabric.run())
    fabric.draft()
    assert [row.id for row in fabric.write(job_states.live_jobs)] == [urgent, first, second]
    assert all(row.state in JOB_LIVE for row in fabric.write(job_states.live_jobs))


def test_overdue_jobs_are_live_ones_past_their_deadline(fabric):
    past, future = datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(hours=1)
    late, timely, ended = fabric.run(), fabric.run(), fabric.run()
    fabric.set_job(late, deadline_at=past)
    fabric.set_job(timely, deadline_at=future)
    fabric.set_job(ended, deadline_at=past)
    end(fabric, ended)
    assert fabric.write(job_states.overdue) == [late]


def purgeable(fabric):
    return {row.id for row in fabric.write(job_states.purgeable, HOUR_S, 10)}


def test_bytes_go_when_their_time_is_over_or_their_job_is_deleted(fabric):
    past, now = datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC)
    expired, failed, fresh, live, draft, deleted = (fabric.run() for _ in range(6))
    fabric.set_job(expired, state=JobState.COMPLETE, ended_at=now, output_expires_at=past)
    fabric.set_job(failed, state=JobState.FAILED, ended_at=past)
    fabric.set_job(fresh, state=JobState.FAILED, ended_at=now)
    fabric.set_job(live, deleted_at=now)
    fabric.set_job(draft, state=JobState.NEW, deleted_at=now)
    fabric.set_job(deleted, state=JobState.ABORTED, ended_at=now, deleted_at=now)
    assert purgeable(fabric) == {expired, failed, draft, deleted}
    fabric.write(job_states.mark_purged, expired)
    assert purgeable(fabric) == {failed, draft, deleted}


def test_a_job_that_was_purged_for_its_age_is_purged_again_when_it_is_deleted(fabric):
    job_id = fabric.run()
    fabric.set_job(job_id, state=JobState.FAILED, ended_at=datetime.now(UTC) - timedelta(hours=2))
    fabric.write(job_states.mark_purged, job_id)
    assert purgeable(fabric) == set()
    fabric.set_job(job_id, deleted_at=datetime.now(UTC) + timedelta(seconds=1))
    assert purgeable(fabric) == {job_id}
    fabric.set_job(job_id, deleted_at=datetime.now(UTC) - timedelta(seconds=1))
    assert purgeable(fabric) == set()


def test_transactions_that_added_rows_to_a_job_may_both_change_it(fabric):
    """A stronger lock on the job would wait for both inserts, and both for each other."""
    job_id, errors = fabric.run(), []
    added = threading.Barrier(1 if fabric.database.is_sqlite else 2)

    def work(connection, attempt):
        row = {"job_id": job_id, "stage": "app", "chunk": 0, "attempt": attempt}
        connection.execute(insert(attempts).values(**row))
        added.wait(10)
        job_states.add_counts(connection, job_states.find(connection, job_id).id, chunks=1)

    def run(attempt):
        try:
            fabric.write(work, attempt)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(it,)) for it in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert fabric.job(job_id).chunks == 2
