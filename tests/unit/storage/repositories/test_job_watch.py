"""Watchers find whose jobs are, how they look, and which of them may have changed."""

from datetime import UTC, datetime, timedelta

from storage.repositories import job_watch, jobs
from tests.fixtures.fabric import database, fabric

__all__ = ["database", "fabric"]


def ids(rows):
    return [row.id for row in rows]


def test_owners_and_rows_are_found_by_id_also_of_deleted_jobs(fabric):
    mine, deleted, other = fabric.draft(), fabric.draft(), fabric.draft("bob")
    fabric.write(jobs.remove, fabric.owner(), deleted)
    assert fabric.write(job_watch.owners, [mine, other, "none"]) == {
        mine: fabric.owner(),
        other: fabric.owner("bob"),
    }
    rows = fabric.write(job_watch.rows, [mine, deleted])
    assert rows[mine].deleted_at is None
    assert rows[deleted].deleted_at is not None
    assert not hasattr(rows[mine], "plan")


def test_live_jobs_are_those_that_run(fabric):
    fabric.draft()
    mine, other = fabric.run(), fabric.run(owner="bob")
    fabric.run(owner="eve")
    owners = [fabric.owner(), fabric.owner("bob")]
    assert set(ids(fabric.write(job_watch.live, owners, 10))) == {mine, other}
    assert len(fabric.write(job_watch.live, owners, 1)) == 1


def test_recent_jobs_run_or_were_made_or_ended_lately(fabric):
    now = datetime.now(UTC)
    long_ago = {"created_at": now - timedelta(days=9)}
    old, running, fresh, ended, over = (fabric.run() for _ in range(5))
    fabric.draft("bob")
    final = {"state": "JOB_STATE_COMPLETE"}
    fabric.set_job(old, **long_ago, **final, ended_at=now - timedelta(days=8))
    fabric.set_job(running, **long_ago)
    fabric.set_job(ended, **final, created_at=now - timedelta(hours=2), ended_at=now)
    fabric.set_job(over, **final, created_at=now - timedelta(hours=2), ended_at=now - timedelta(hours=1))
    found = fabric.write(job_watch.recent, fabric.owner(), 600, 10)
    assert sorted(ids(found)) == sorted([running, fresh, ended])
