"""Bytes go when their time is over; logs stay until their job is deleted."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gridloom.errors import BlobMissing, StoreUnavailable
from gridloom.states import JobState, Stage
from scheduler import sweep as module
from scheduler.sweep import sweep, sweep_leftovers
from storage.folder import FolderStore
from storage.repositories import assembly
from storage.repositories.logs import total_lines
from tests.fixtures.log_lines import line, store_lines

OLD, NOW = datetime.now(UTC) - timedelta(days=3), datetime.now(UTC)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "objects")


@pytest.fixture(autouse=True)
def logs():
    with capture_logs() as found:
        yield found


def ended(fabric, store, **values):
    job_id = fabric.run()
    store.put_bytes(f"jobs/{job_id}/results/x", b"result")
    store.put_bytes(f"logs/{job_id}/x", b"line")
    fabric.write(assembly.add_outputs, job_id, 1, [{"path": "a", "size": 1, "key": "k", "offset": 0}])
    fabric.set_job(job_id, **{"state": JobState.COMPLETE, "ended_at": OLD, "output_expires_at": NOW} | values)
    return job_id


def keys(store):
    return {it.key.rsplit("/", 1)[0] for it in store.list()}


def test_an_expired_jobs_bytes_go_and_its_log_stays(fabric, store):
    job_id, fresh = ended(fabric, store), ended(fabric, store, ended_at=NOW, output_expires_at=None)
    assert sweep(fabric.database, store, fabric.settings) == 1
    assert keys(store) == {f"logs/{job_id}", f"jobs/{fresh}/results", f"logs/{fresh}"}
    assert fabric.outputs(job_id) == {}
    assert fabric.job(job_id).purged_at is not None
    assert sweep(fabric.database, store, fabric.settings) == 0


def test_a_deleted_jobs_log_goes_too_even_when_its_bytes_went_before(fabric, store):
    job_id = ended(fabric, store)
    store_lines(fabric.database, store, job_id, Stage.APP, [(0, 1, [line("printed")])])
    sweep(fabric.database, store, fabric.settings)
    with fabric.database.read() as connection:
        assert total_lines(connection, job_id) == 1
    fabric.set_job(job_id, deleted_at=datetime.now(UTC) + timedelta(seconds=1))
    assert sweep(fabric.database, store, fabric.settings) == 1
    assert keys(store) == set()
    with fabric.database.read() as connection:
        assert total_lines(connection, job_id) == 0


def test_a_store_that_fails_is_tried_again_later(fabric, store, monkeypatch):
    job_id = ended(fabric, store)

    def fail(_prefix):
        raise StoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(store, "delete_prefix", fail, raising=False)
        assert sweep(fabric.database, store, fabric.settings) == 0
    assert fabric.job(job_id).purged_at is None
    assert sweep(fabric.database, store, fabric.settings) == 1


def test_leftovers_that_stay_are_told_of(store, logs, tmp_path):
    sweep_leftovers(store)
    assert logs == []
    (tmp_path / "objects/incoming").rmdir()
    sweep_leftovers(store)
    assert [it["event"] for it in logs] == ["leftovers_not_swept"]


def test_a_sweep_is_bounded(fabric, store, monkeypatch):
    monkeypatch.setattr(module, "JOBS_PER_SWEEP", 2)
    for _ in range(3):
        ended(fabric, store)
    assert [sweep(fabric.database, store, fabric.settings) for _ in range(3)] == [2, 1, 0]
    with pytest.raises(BlobMissing):
        store.info("jobs/none")
