"""The folder store: whole objects or none, no leftovers, clear errors."""

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gridloom.errors import BadInput, SetupFailed, StoreFull, StoreUnavailable
from storage import folder
from storage.blobs import BlobStore
from storage.folder import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return FolderStore(tmp_path / "store")


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "store" / "incoming").iterdir())


def test_a_reader_that_has_begun_sees_the_old_bytes_to_their_end(store: BlobStore) -> None:
    store.put_bytes("a", b"old")
    blocks = store.stream("a", block=1)
    first = next(blocks)
    store.put_bytes("a", b"NEW!")
    assert first + b"".join(blocks) == b"old"


def test_keys_never_overlap(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes("a/b", b"1")
    for key in ("a", "a/b/c", "a/b/c/d"):
        with pytest.raises(BadInput, match="overlaps"):
            store.put_bytes(key, b"2")
    assert leftovers(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.put_bytes("there", b"1")
    monkeypatch.setattr(folder, "write_all", full)
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

    monkeypatch.setattr(folder, "write_all", broken)
    with pytest.raises(StoreUnavailable, match="Input/output error") as caught:
        store.put_bytes("a", b"1")
    assert caught.value.retryable
    assert not isinstance(caught.value, StoreFull)


def test_old_leftovers_are_swept(store: BlobStore, tmp_path: Path) -> None:
    incoming = tmp_path / "store" / "incoming"
    (incoming / "fresh").write_bytes(b"1")
    (incoming / "old").write_bytes(b"1")
    (incoming / "trash/deep").mkdir(parents=True)
    long_ago = time.time() - 2 * 24 * 3600
    for name in ("old", "trash"):
        os.utime(incoming / name, (long_ago, long_ago))
    assert store.sweep_leftovers() == 2
    assert [it.name for it in leftovers(tmp_path)] == ["fresh"]


def test_objects_outlive_the_store(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes("a", b"1")
    assert FolderStore(tmp_path / "store", durable=False).get_bytes("a") == b"1"


def test_deleting_removes_empty_folders(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes("a/b/c", b"1")
    store.put_bytes("a/d", b"1")
    store.delete("a/b/c")
    assert not (tmp_path / "store/objects/a/b").exists()


def test_a_folder_makes_no_links(store: BlobStore) -> None:
    store.put_bytes("a", b"1")
    assert store.link("a", 60, "a.txt") is None


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
