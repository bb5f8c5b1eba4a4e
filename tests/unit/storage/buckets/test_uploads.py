"""Uploads are stored whole and checked, or leave nothing."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gridloom.errors import BadInput, BucketDenied, ObjectExists, ObjectMissing
from gridloom.net_guard import PrivateHosts
from storage.buckets import uploads
from storage.buckets.bucket import Bucket
from tests.fixtures.bucket_faults import Request
from tests.fixtures.bucket_proxy import BucketProxy, dialect_proxy
from tests.fixtures.seaweed import BucketServer

ALLOWED = PrivateHosts.parse("127.0.0.1")
PART = 5 << 20
DATA = os.urandom(2 * PART + 1000)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_ONE_CALL", PART)
    monkeypatch.setattr(uploads, "_STREAM_PART", PART)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "in").write_bytes(DATA)
    it = os.open(tmp_path / "in", os.O_RDONLY)
    yield it
    os.close(it)


@pytest.fixture
def far(bucket_proxy: BucketProxy) -> Iterator[Bucket]:
    with closing(Bucket(bucket_proxy.place(), ALLOWED)) as it:
        yield it


def test_parts_make_one_object_though_calls_fail(far: Bucket, fd: int, bucket_proxy: BucketProxy) -> None:
    bucket_proxy.faults.add("slow_down", "UploadPart")
    bucket_proxy.faults.add("reset_midway", "UploadPart")
    bucket_proxy.faults.add("error_in_200", "CompleteMultipartUpload")
    moved: list[int] = []
    stored = far.upload(
        "k",
        fd,
        len(DATA),
        content_type="a/b",
        metadata={"gridloom-job": "j"},
        only_new=True,
        on_progress=moved.append,
    )
    assert far.read("k", etag=stored.etag) == DATA
    assert (sum(moved), stored.size) == (len(DATA), len(DATA))
    assert far.look("k").metadata == {"gridloom-job": "j"}
    with pytest.raises(ObjectExists):
        far.upload("k", fd, len(DATA), only_new=True)
    assert bucket_proxy.server.uploads(far.place.bucket) == []


def test_a_completed_upload_whose_answer_is_lost_counts(
    far: Bucket, fd: int, bucket_proxy: BucketProxy
) -> None:
    bucket_proxy.faults.add("reset_after", "CompleteMultipartUpload")
    assert far.upload("k", fd, len(DATA), only_new=True).etag == far.look("k").etag
    for only_new in (True, False):
        for kind in ("reset_after", "reset", "slow_down"):
            bucket_proxy.faults.add(kind, "PutObject")
            stored = far.put(f"{kind} {only_new}", b"once", only_new=only_new)
            assert stored.etag == far.look(f"{kind} {only_new}").etag


def test_an_upload_that_is_stopped_leaves_nothing(far: Bucket, fd: int, bucket_proxy: BucketProxy) -> None:
    def stop(_count: int) -> None:
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError):
        far.upload("k", fd, len(DATA), on_progress=stop)
    bucket_proxy.faults.add("denied", "UploadPart", times=9)
    with pytest.raises(BucketDenied, match="s3:PutObject"):
        far.upload("k", fd, len(DATA))
    assert bucket_proxy.server.uploads(far.place.bucket) == bucket_proxy.server.keys(far.place.bucket) == []


def test_a_file_that_is_too_short_is_not_stored(far: Bucket, fd: int) -> None:
    with pytest.raises(BadInput, match="shorter"):
        far.upload("k", fd, len(DATA) + 1)


def test_streams_of_any_length_are_stored_unless_they_break(far: Bucket, bucket_proxy: BucketProxy) -> None:
    for size in (0, 10, PART, len(DATA)):
        blocks = (DATA[it : min(it + 300_000, size)] for it in range(0, size, 300_000))
        assert far.upload_stream("k", blocks).size == size
        assert far.read("k") == DATA[:size]

    def broken() -> Iterator[bytes]:
        yield DATA
        raise EOFError("the sender left")

    with pytest.raises(EOFError, match="left"):
        far.upload_stream("other", broken())
    assert bucket_proxy.server.uploads(far.place.bucket) == []
    with pytest.raises(ObjectMissing):
        far.look("other")


def test_where_etags_are_no_digests_the_server_compares_instead(bucket_server: BucketServer) -> None:
    with (
        dialect_proxy(bucket_server, opaque_etags=True) as proxy,
        closing(Bucket(proxy.place(), ALLOWED)) as bucket,
        capture_logs() as logs,
    ):
        for key in ("a", "b"):
            assert bucket.put(key, b"data", only_new=True).etag == bucket.look(key).etag
        puts = [it for it in proxy.seen("PutObject") if "content-md5" in it.headers]
    assert [it.key for it in puts] == ["a", "b"]
    assert [it["event"] for it in logs] == ["bucket_etags_no_digests"]


@pytest.mark.parametrize("dialect", ["gcp", "storj"])
def test_other_dialects_are_asked_first_whether_a_key_is_free(
    bucket_server: BucketServer, dialect: str, fd: int
) -> None:
    with (
        dialect_proxy(bucket_server, dialect) as proxy,
        closing(Bucket(proxy.place(), ALLOWED)) as bucket,
    ):
        bucket.put("k", b"1", only_new=True)
        bucket.upload("big", fd, len(DATA), only_new=True)
        for store in (
            lambda: bucket.put("k", b"2", only_new=True),
            lambda: bucket.upload("big", fd, 9, only_new=True),
        ):
            with pytest.raises(ObjectExists):
                store()
        assert bucket.read("big") == DATA
        assert bucket.delete(["k", "big"]) == 2
        assert bucket.delete(it.key for it in bucket.list()) == 0
        assert bucket._session._fast


def test_a_server_without_conditions_is_found_out_once(bucket_server: BucketServer) -> None:
    def conditional(request: Request) -> bool:
        return "if-none-match" in request.headers

    with (
        dialect_proxy(bucket_server, "gcp") as proxy,
        closing(Bucket(proxy.place(kind="aws"), ALLOWED)) as bucket,
        capture_logs() as logs,
    ):
        bucket.put("k", b"1", only_new=True)
        asked = len(proxy.seen(conditional))
        with pytest.raises(ObjectExists):
            bucket.put("k", b"2", only_new=True)
        assert len(proxy.seen(conditional)) == asked
    assert [it["event"] for it in logs] == ["bucket_puts_without_conditions"]
