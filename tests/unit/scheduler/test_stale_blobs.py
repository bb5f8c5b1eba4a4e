"""Bytes go once nothing names them and their time is over, whatever crashes on the way."""

import pytest
from structlog.testing import capture_logs

from gridloom.errors import BlobMissing, StoreUnavailable, Unavailable
from gridloom.states import EndReason, JobState
from scheduler import stale_blobs as module
from scheduler.stale_blobs import sweep_blobs
from storage.folder import FolderStore
from storage.repositories import job_states, stale_blobs
from tests.fixtures.fabric import plan_of, stage_of
from tests.fixtures.stale import noted, sweep_later


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "objects")


@pytest.fixture(autouse=True)
def logs():
    with capture_logs() as found:
        yield found


@pytest.fixture
def dropped(fabric, store):
    """Return a function that stores bytes which lost their name."""

    def drop(key):
        store.put_bytes(key, b"bytes")
        fabric.write(stale_blobs.drop, [key])

    return drop


def keys(store):
    return {it.key for it in store.list()}


def test_dropped_bytes_go_when_their_time_is_over(fabric, store, dropped):
    dropped("cache/a")
    assert sweep_blobs(fabric.database, store) == 0
    assert keys(store) == {"cache/a"}
    assert sweep_later(fabric.database, store) == 1
    assert (keys(store), noted(fabric.database)) == (set(), {})


@pytest.mark.parametrize("stage", ["partitioner", "app", "assembler"])
def test_a_running_jobs_archive_stays_until_the_job_has_ended(fabric, store, dropped, stage):
    block = stage_of()
    component = block.component.model_copy(update={"archive_key": "components/a"})
    job_id = fabric.run(plan_of(**{stage: block.model_copy(update={"component": component})}))
    dropped("components/a")
    dropped("components/b")
    assert sweep_later(fabric.database, store) == 2
    assert (keys(store), noted(fabric.database)) == ({"components/a"}, {"components/a": False})
    assert sweep_blobs(fabric.database, store) == 0  # looked at again only after another while
    fabric.write(job_states.end, job_id, JobState.ABORTED, EndReason.CANCELLED, "")
    assert sweep_later(fabric.database, store) == 1
    assert (keys(store), noted(fabric.database)) == (set(), {})


def test_what_a_crash_interrupts_is_done_again(fabric, store, dropped, monkeypatch):
    dropped("cache/a")
    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", lambda _key: 1 / 0, raising=False)
        with pytest.raises(ZeroDivisionError):
            sweep_later(fabric.database, store)
    assert noted(fabric.database) == {"cache/a": True}
    with monkeypatch.context() as patch:
        patch.setattr(stale_blobs, "forget", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sweep_blobs(fabric.database, store)
    assert (keys(store), noted(fabric.database)) == (set(), {"cache/a": True})
    assert sweep_blobs(fabric.database, store) == 1
    assert noted(fabric.database) == {}


def test_a_store_that_fails_is_tried_again_later(fabric, store, dropped, monkeypatch, logs):
    dropped("cache/a")

    def fail(_key):
        raise StoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", fail, raising=False)
        assert sweep_later(fabric.database, store) == 0
    assert [it["event"] for it in logs] == ["blob_not_removed"]
    assert sweep_blobs(fabric.database, store) == 1
    assert keys(store) == set()


def test_a_sweep_is_bounded_and_keys_that_are_planned_do_not_hold_it_up(fabric, store, dropped, monkeypatch):
    monkeypatch.setattr(module, "BLOBS_PER_SWEEP", 2)
    fabric.run()
    dropped("archives/engine")
    for name in "abc":
        dropped(f"cache/{name}")
    assert [sweep_later(fabric.database, store)] + [sweep_blobs(fabric.database, store) for _ in "12"] == [
        2,
        2,
        0,
    ]
    assert keys(store) == {"archives/engine"}


def test_a_key_is_named_or_removed_but_never_both(fabric, store):
    fabric.write(stale_blobs.expect, "cache/quick")
    fabric.write(stale_blobs.expect, "cache/slow")
    store.put_bytes("cache/quick", b"quick")
    store.put_bytes("cache/slow", b"slow")
    fabric.write(stale_blobs.name, "cache/quick")
    assert sweep_later(fabric.database, store) == 1
    with pytest.raises(Unavailable, match="took too long"):
        fabric.write(stale_blobs.name, "cache/slow")
    assert store.info("cache/quick")
    with pytest.raises(BlobMissing):
        store.info("cache/slow")


def test_a_key_that_is_being_removed_cannot_be_named(fabric):
    fabric.write(stale_blobs.expect, "cache/slow")
    assert fabric.write(stale_blobs.take, ["cache/slow", "cache/unknown"]) == ["cache/slow"]
    with pytest.raises(Unavailable):
        fabric.write(stale_blobs.name, "cache/slow")


def test_a_key_that_was_named_meanwhile_is_not_taken(fabric, store, monkeypatch):
    fabric.write(stale_blobs.expect, "cache/a")
    store.put_bytes("cache/a", b"bytes")
    planned = stale_blobs.planned

    def late(connection, found):
        answer = planned(connection, found)
        connection.commit()
        fabric.write(stale_blobs.name, "cache/a")
        return answer

    monkeypatch.setattr(stale_blobs, "planned", late)
    assert sweep_later(fabric.database, store) == 0
    assert keys(store) == {"cache/a"}
