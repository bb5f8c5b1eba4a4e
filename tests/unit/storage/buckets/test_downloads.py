"""Downloads arrive whole, in ranges at a time, whatever breaks off, or not at all."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gridloom.errors import BucketUnavailable, ObjectChanged
from gridloom.net_guard import PrivateHosts
from storage.buckets import downloads
from storage.buckets.access import Patience
from storage.buckets.bucket import Bucket
from tests.fixtures.bucket_proxy import BucketProxy

ALLOWED = PrivateHosts.parse("127.0.0.1")
DATA = os.urandom(400_000)


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_RANGE", 64 << 10)
    monkeypatch.setattr(downloads, "_BLOCK", 16 << 10)
    monkeypatch.setattr(downloads, "_LONGEST_PAUSE_S", 0.1)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    it = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    yield it
    os.close(it)


@pytest.fixture(params=["obstore", "boto3"])
def far(bucket_proxy: BucketProxy, request: pytest.FixtureRequest) -> Iterator[Bucket]:
    with closing(Bucket(bucket_proxy.place(), ALLOWED)) as it:
        it._session._fast = request.param == "obstore"
        yield it


def test_ranges_arrive_in_their_places_and_tell_their_progress(far: Bucket, fd: int) -> None:
    etag = far.put("k", DATA).etag
    moved: list[int] = []
    far.download("k", fd, len(DATA), etag=etag, on_progress=moved.append)
    assert os.pread(fd, 1 << 20, 0) == DATA
    assert sum(moved) == len(DATA)
    far.download("k", fd, 100_000, offset=300_000)
    assert os.pread(fd, 100_000, 0) == DATA[300_000:]


def test_an_answer_that_breaks_off_goes_on_where_it_ended(
    far: Bucket, fd: int, bucket_proxy: BucketProxy
) -> None:
    far.put("k", DATA)
    for kind in ("truncated", "reset_midway", "slow_down", "reset"):
        bucket_proxy.faults.add(kind, "GetObject")
    moved: list[int] = []
    far.download("k", fd, len(DATA), on_progress=moved.append)
    assert os.pread(fd, 1 << 20, 0) == DATA
    assert sum(moved) == len(DATA)
    bucket_proxy.faults.add("truncated", "GetObject")
    assert far.read("k") == DATA


def test_an_answer_that_always_breaks_off_ends_it(
    far: Bucket, bucket_proxy: BucketProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    far._session.access = replace(far._session.access, patience=Patience(attempts=1))
    monkeypatch.setattr(downloads, "_TRIES", 2)
    far.put("k", b"0123456789" * 10)
    bucket_proxy.faults.add("reset_midway", "GetObject", times=100)
    with pytest.raises(BucketUnavailable):
        far.read("k")


def test_an_object_that_changes_or_ends_early_is_told(far: Bucket, fd: int) -> None:
    old = far.put("k", DATA).etag
    far.put("k", DATA[::-1])
    with pytest.raises(ObjectChanged):
        far.download("k", fd, len(DATA), etag=old)
    with pytest.raises(ObjectChanged):
        far.download("k", fd, len(DATA) + 1)


def test_progress_may_stop_it(far: Bucket, fd: int, bucket_proxy: BucketProxy) -> None:
    far.put("k", DATA)

    def stop(_count: int) -> None:
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        far.download("k", fd, len(DATA), on_progress=stop)
