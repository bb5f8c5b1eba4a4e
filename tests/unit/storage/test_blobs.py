"""The shape of keys, and what every store does, in a folder or in a bucket."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import BadInput, BlobMissing, TooLarge
from storage.blobs import BlobInfo, BlobStore, check_key
from storage.bucket_store import BucketStore
from storage.folder import FolderStore

Leftovers = Callable[[], list[Any]]  #: what unfinished puts left behind


@pytest.fixture(params=["folder", "bucket"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if kind == "folder":
        return FolderStore(tmp_path / "store")
    return BucketStore(request.getfixturevalue("bucket"), "some/prefix")


@pytest.fixture
def leftovers(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Leftovers:
    if kind == "folder":
        return lambda: list((tmp_path / "store" / "incoming").iterdir())
    server, place = request.getfixturevalue("bucket_server"), request.getfixturevalue("bucket_place")
    return lambda: server.uploads(place.bucket)


@pytest.mark.parametrize(
    "key", ["a", "jobs/job_1/chunks/data_0.bin", "a/.b=c-d", "a" * 255, "/".join(["a" * 7] * 128)]
)
def test_an_ordinary_key_is_taken(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "a/./b",
        "...",
        "a b",
        "a\n",
        "a\x00",
        "é",
        "a\\b",
        "a" * 256,
        "/".join(["a" * 7] * 129),
    ],
)
def test_a_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_key(key)
    assert caught.value.field == "key"


@given(st.text(st.sampled_from("a./\\\n"), max_size=12))
def test_no_accepted_key_leaves_its_folder(key: str) -> None:
    try:
        check_key(key)
    except BadInput:
        return
    assert not key.startswith("/")
    assert {"", ".", ".."}.isdisjoint(key.split("/"))


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


def test_only_plain_files_are_put(store: BlobStore, leftovers: Leftovers, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(__file__)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", ".", "missing"):
        with pytest.raises(BadInput):
            store.put_file("k", tmp_path / name)
    assert list(store.list()) == []
    assert leftovers() == []


def test_an_open_file_is_put_up_to_the_size_asked_for(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"0123456789")
    with (tmp_path / "in").open("rb") as source:
        source.seek(5)
        assert store.put_fd("k", source.fileno(), 4).size == 4
        with pytest.raises(BadInput, match="shrank from 11 to 10"):
            store.put_fd("short", source.fileno(), 11)
    assert [it.key for it in store.list()] == ["k"]
    assert store.get_bytes("k") == b"0123"


def test_a_stream_past_its_limit_leaves_nothing(store: BlobStore, leftovers: Leftovers) -> None:
    assert store.put_stream("fits", iter([b"12", b"34"]), 4).size == 4
    with pytest.raises(TooLarge):
        store.put_stream("big", iter([b"12", b"345"]), 4)
    with pytest.raises(BlobMissing):
        store.info("big")
    assert leftovers() == []


def test_a_stream_that_breaks_leaves_nothing_and_keeps_its_error(
    store: BlobStore, leftovers: Leftovers
) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"12"
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        store.put_stream("broken", chunks(), 100)
    assert list(store.list()) == []
    assert leftovers() == []


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


def test_malformed_keys_are_refused(store: BlobStore) -> None:
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


def test_deleting_is_idempotent(store: BlobStore) -> None:
    store.put_bytes("a/b/c", b"1")
    store.put_bytes("a/d", b"1")
    store.delete("a/b/c")
    store.delete("a/b/c")
    assert [it.key for it in store.list()] == ["a/d"]


def test_a_prefix_means_whole_parts(store: BlobStore, leftovers: Leftovers) -> None:
    for key in ("jobs/1/a", "jobs/1/b/c", "jobs/10/a", "other"):
        store.put_bytes(key, b"xy")
    assert {it.key for it in store.list("jobs")} == {"jobs/1/a", "jobs/1/b/c", "jobs/10/a"}
    assert {it.key for it in store.list("jobs/1")} == {"jobs/1/a", "jobs/1/b/c"}
    assert list(store.list("nothing")) == []
    assert store.delete_prefix("jobs/1") == 2
    assert store.delete_prefix("jobs/1") == 0
    assert store.delete_prefix("other") == 0
    assert {it.key for it in store.list()} == {"jobs/10/a", "other"}
    assert leftovers() == []
