"""The folder store: whole objects or none, no leftovers, clear errors."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gridloom.errors import BadInput, BlobMissing, SetupFailed, StoreFull, StoreUnavailable, TooLarge
from storage import folder
from storage.blobs import BlobInfo, BlobStore
from storage.folder import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return FolderStore(tmp_path / "store")


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "store" / "incoming").iterdir())


def test_what_is_put_is_got_back_whole_or_in_part(store: BlobStore) -> None:
    assert store.put_bytes("a/b", b"0123456789") == BlobInfo(key="a/b", size=10)
    assert store.get_bytes("a/b") == b"0123456789"
    assert store.get_bytes("a/b", 3, 4) == b"3456"
    assert store.get_bytes("a/b", 8, 100) == b"89"
    assert store.get_bytes("a/b", 100) == b""
    assert b"".join(store.stream("a/b", 1, 8, block=3)) == b"12345678"
    assert store.info("a/b").size == 10


def test_an_empty_object_is_an_object(store: BlobStore) -> None:
    store.put_bytes("empty", b"")
    assert store.get_bytes("empty") == b""
    assert list(store.stream("empty")) == []
    assert store.info("empty").size == 0


def test_a_put_replaces(store: BlobStore) -> None:
    store.put_bytes("a", b"old")
    store.put_bytes("a", b"new")
    assert store.get_bytes("a") == b"new"


def test_a_reader_that_has_begun_sees_the_old_bytes_to_their_end(store: BlobStore) -> None:
    store.put_bytes("a", b"old")
    blocks = store.stream("a", block=1)
    first = next(blocks)
    store.put_bytes("a", b"NEW!")
    assert first + b"".join(blocks) == b"old"


def test_files_go_in_and_out(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"0123456789")
    assert store.put_file("f", tmp_path / "in").size == 10
    assert store.get_file("f", tmp_path / "out", 2, 5) == 5
    assert (tmp_path / "out").read_bytes() == b"23456"
    with pytest.raises(FileExistsError):
        store.get_file("f", tmp_path / "out")


def test_fetching_never_writes_through_a_link(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes("a", b"1")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        store.get_file("a", tmp_path / "link")
    assert not (tmp_path / "victim").exists()


def test_only_plain_files_are_put(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(__file__)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", ".", "missing"):
        with pytest.raises(BadInput):
            store.put_file("k", tmp_path / name)
    assert list(store.list()) == []
    assert leftovers(tmp_path) == []


def test_an_open_file_is_put_up_to_the_size_asked_for(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"0123456789")
    with (tmp_path / "in").open("rb") as source:
        source.seek(5)
        assert store.put_fd("k", source.fileno(), 4).size == 4
        with pytest.raises(BadInput, match="shrank from 11 to 10"):
            store.put_fd("short", source.fileno(), 11)
    assert [it.key for it in store.list()] == ["k"]
    assert store.get_bytes("k") == b"0123"


def test_a_stream_past_its_limit_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    assert store.put_stream("fits", iter([b"12", b"34"]), 4).size == 4
    with pytest.raises(TooLarge):
        store.put_stream("big", iter([b"12", b"345"]), 4)
    with pytest.raises(BlobMissing):
        store.info("big")
    assert leftovers(tmp_path) == []


def test_a_stream_that_breaks_leaves_nothing_and_keeps_its_error(store: BlobStore, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"12"
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        store.put_stream("broken", chunks(), 100)
    assert list(store.list()) == []
    assert leftovers(tmp_path) == []


def test_nothing_is_visible_before_the_end(store: BlobStore) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"12"
        assert list(store.list()) == []

    store.put_stream("a", chunks(), 100)
    assert [it.key for it in store.list()] == ["a"]


@pytest.mark.parametrize("key", ["gone", "gone/below", "a/below", "dir"])
def test_what_is_not_there_is_missing(key: str, store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes("a", b"1")
    store.put_bytes("dir/b", b"1")
    calls: list[Callable[[str], object]] = [
        store.info,
        store.get_bytes,
        store.stream,
        lambda key: store.get_file(key, tmp_path / "out"),
    ]
    for call in calls:
        with pytest.raises(BlobMissing, match=key):
            call(key)
    store.delete("gone")
    assert not (tmp_path / "out").exists()


def test_keys_never_overlap(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes("a/b", b"1")
    for key in ("a", "a/b/c", "a/b/c/d"):
        with pytest.raises(BadInput, match="overlaps"):
            store.put_bytes(key, b"2")
    assert leftovers(tmp_path) == []


def test_malformed_keys_reach_no_file(store: BlobStore) -> None:
    calls: list[Callable[[str], object]] = [
        store.info,
        store.get_bytes,
        store.delete,
        store.delete_prefix,
        store.stream,
        store.list,
    ]
    for call in calls:
        with pytest.raises(BadInput):
            call("../x")


def test_deleting_is_idempotent_and_removes_empty_folders(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes("a/b/c", b"1")
    store.put_bytes("a/d", b"1")
    store.delete("a/b/c")
    store.delete("a/b/c")
    assert [it.key for it in store.list()] == ["a/d"]
    assert not (tmp_path / "store/objects/a/b").exists()


def test_a_prefix_means_whole_parts(store: BlobStore, tmp_path: Path) -> None:
    for key in ("jobs/1/a", "jobs/1/b/c", "jobs/10/a", "other"):
        store.put_bytes(key, b"xy")
    assert {it.key for it in store.list("jobs")} == {"jobs/1/a", "jobs/1/b/c", "jobs/10/a"}
    assert {it.key for it in store.list("jobs/1")} == {"jobs/1/a", "jobs/1/b/c"}
    assert list(store.list("nothing")) == []
    assert store.delete_prefix("jobs/1") == 2
    assert store.delete_prefix("jobs/1") == 0
    assert store.delete_prefix("other") == 0
    assert {it.key for it in store.list()} == {"jobs/10/a", "other"}
    assert leftovers(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.put_bytes("there", b"1")
    monkeypatch.setattr(folder, "_write_all", full)
    monkeypatch.setattr(folder, "copy_bytes", full)
    with pytest.raises(StoreFull, match="no space left"):
        store.put_bytes("a", b"1")
    with pytest.raises(StoreFull, match="no space left"):
        store.get_file("there", tmp_path / "out")
    assert leftovers(tmp_path) == []
    assert not (tmp_path / "out").exists()


def test_another_failure_is_retryable(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(folder, "_write_all", broken)
    with pytest.raises(StoreUnavailable, match="Input/output error") as caught:
        store.put_bytes("a", b"1")
    assert caught.value.retryable
    assert not isinstance(caught.value, StoreFull)


def test_old_leftovers_are_swept_when_the_store_opens(store: BlobStore, tmp_path: Path) -> None:
    incoming = tmp_path / "store" / "incoming"
    (incoming / "fresh").write_bytes(b"1")
    (incoming / "old").write_bytes(b"1")
    (incoming / "trash/deep").mkdir(parents=True)
    long_ago = time.time() - 2 * 24 * 3600
    for name in ("old", "trash"):
        os.utime(incoming / name, (long_ago, long_ago))
    FolderStore(tmp_path / "store")
    assert [it.name for it in leftovers(tmp_path)] == ["fresh"]


def test_objects_outlive_the_store(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes("a", b"1")
    assert FolderStore(tmp_path / "store", durable=False).get_bytes("a") == b"1"


def test_a_root_that_is_a_file_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupFailed, match="can't be used"):
        FolderStore(tmp_path / "file")


def test_puts_and_deletes_of_neighbours_do_not_disturb_each_other(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store", durable=False)

    def churn(name: str) -> None:
        for _ in range(100):
            store.put_bytes(f"d/e/{name}", b"1")
            store.delete(f"d/e/{name}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, "abcd"))
    assert list(store.list()) == []
