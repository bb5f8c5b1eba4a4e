"""What a store in a bucket does beyond what every store does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from gridloom.errors import (
    BadInput,
    BlobMissing,
    BucketDenied,
    BucketFailed,
    BucketFull,
    BucketUnavailable,
    GridloomError,
    ObjectMissing,
    StoreFull,
    StoreUnavailable,
)
from gridloom.net_guard import PrivateHosts
from storage import bucket_store
from storage.bucket_store import BucketStore
from storage.buckets.bucket import Bucket
from tests.fixtures.bucket_proxy import BucketProxy
from tests.fixtures.seaweed import BucketServer


@pytest.fixture
def store(bucket: Bucket) -> BucketStore:
    return BucketStore(bucket, "some/prefix")


class Refusing:
    """A bucket that refuses whatever is asked."""

    def __init__(self, error: GridloomError) -> None:
        self._error = error

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        def refuse(*_: object, **__: object) -> None:
            raise self._error

        return refuse


def refusing(error: GridloomError) -> BucketStore:
    bucket: Any = Refusing(error)
    return BucketStore(bucket, link_endpoint="")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BucketUnavailable("no answer"), StoreUnavailable),
        (BucketDenied("no", permission="write"), StoreUnavailable),
        (BucketFailed("no"), StoreUnavailable),
        (BucketFull("no"), StoreFull),
        (ObjectMissing("there is no bucket"), StoreUnavailable),
    ],
)
def test_whatever_the_bucket_refuses_is_the_stores_failure(
    error: GridloomError, told: type[GridloomError], tmp_path: Path
) -> None:
    store = refusing(error)
    (tmp_path / "in").touch()
    calls: list[Callable[[], object]] = [
        lambda: store.put_bytes("a", b"1"),
        lambda: store.put_file("a", tmp_path / "in"),
        lambda: store.put_stream("a", [b"1"], 1),
        lambda: store.delete("a"),
        lambda: list(store.list()),
        lambda: store.link("a", 60, "a"),
    ]
    for call in calls:
        with pytest.raises(told, match=error.message) as caught:
            call()
        assert caught.value.retryable


def test_what_is_read_and_not_there_is_missing() -> None:
    with pytest.raises(BlobMissing):
        refusing(ObjectMissing("no such object")).get_bytes("a")


def test_each_small_call_is_one_request(bucket_proxy: BucketProxy, tmp_path: Path) -> None:
    store = BucketStore(Bucket(bucket_proxy.place(), PrivateHosts(), trusted=True), "p")
    (tmp_path / "in").write_bytes(b"0123456789")
    calls: list[Callable[[], object]] = [
        lambda: store.put_bytes("a", b"0123456789"),
        lambda: store.put_file("b", tmp_path / "in"),
        lambda: store.put_stream("c", [b"1", b"2"], 2),
        lambda: store.get_bytes("a"),
        lambda: store.get_bytes("a", 2, 3),
        lambda: store.get_file("a", tmp_path / "out", 2, 3),
        lambda: list(store.stream("a")),
        lambda: store.info("a"),
        lambda: store.delete("a"),
    ]
    for number, call in enumerate(calls):
        before = len(bucket_proxy.requests)
        call()
        assert len(bucket_proxy.requests) == before + 1, number


def test_a_large_span_comes_in_ranges_of_one_version(
    store: BucketStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_store, "_ONE_READ_BYTES", 4)
    store.put_bytes("a", b"0123456789")
    for number, (offset, length, wanted) in enumerate(
        [(0, None, b"0123456789"), (2, 5, b"23456"), (2, 50, b"23456789"), (20, None, b"")]
    ):
        assert store.get_file("a", tmp_path / str(number), offset, length) == len(wanted)
        assert (tmp_path / str(number)).read_bytes() == wanted


def test_stores_of_one_bucket_do_not_meet(bucket: Bucket) -> None:
    one, other = BucketStore(bucket, "a"), BucketStore(bucket, "a-b")
    for store in (one, other):
        store.put_bytes("k/x", b"1")
    assert one.delete_prefix("k") == 1
    assert [it.key for it in other.list()] == ["k/x"]
    with pytest.raises(BadInput, match="too long"):
        one.info("/".join(["a" * 7] * 128))


def test_uploads_that_nobody_finished_go_with_their_prefix_or_after_a_day(
    store: BucketStore, bucket: Bucket, bucket_server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, begin = bucket.place.bucket, bucket_server.client.create_multipart_upload
    for key in ("some/prefix/jobs/1/a", "some/prefix/jobs/2/a", "other/a"):
        begin(Bucket=name, Key=key)
    assert store.delete_prefix("jobs/1") == 0
    assert store.sweep_leftovers() == 0
    assert sorted(bucket_server.uploads(name)) == ["other/a", "some/prefix/jobs/2/a"]
    monkeypatch.setattr(bucket_store, "LEFTOVER_AGE_S", -60)
    assert store.sweep_leftovers() == 1
    assert bucket_server.uploads(name) == ["other/a"]


def test_uploads_that_may_not_be_aborted_do_not_keep_objects(
    store: BucketStore, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise BucketDenied("no", permission="write")

    store.put_bytes("jobs/1/a", b"1")
    monkeypatch.setattr(bucket, "abort_uploads", refuse)
    with capture_logs() as logs:
        assert store.delete_prefix("jobs/1") == 1
    assert [it["event"] for it in logs] == ["store_uploads_not_aborted"]


def test_a_link_gives_the_object_as_a_file_to_whoever_holds_it(
    bucket: Bucket, bucket_server: BucketServer
) -> None:
    store = BucketStore(bucket, "p", link_endpoint=bucket_server.endpoint)
    store.put_bytes("a", b"0123456789")
    link = store.link("a", 60, "ü.csv", "text/csv")
    assert link
    answer = httpx.get(link, headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")
    assert answer.headers["content-type"] == "text/csv"
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%C3%BC.csv")
    assert httpx.get(link.replace("/a?", "/b?")).status_code == 403
    assert BucketStore(bucket, "p").link("a", 60, "a") is None
