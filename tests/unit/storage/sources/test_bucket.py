"""Sources in buckets, on a real S3 server."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from gridloom.buckets import BucketPlace
from gridloom.errors import (
    AddressRefused,
    AttemptFailed,
    BucketDenied,
    BucketUnavailable,
    GridloomError,
    LeaseLost,
    ObjectMissing,
)
from gridloom.net_guard import PrivateHosts
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from storage.buckets.bucket import Bucket, ObjectInfo
from storage.folder import FolderStore
from storage.sources.bucket import failures_named, fetch_objects, reference_digest
from storage.sources.catalog import fetch_source
from storage.sources.context import SourceContext
from tests.fixtures.bucket_proxy import BucketProxy
from tests.fixtures.seaweed import BucketServer

LOCAL = PrivateHosts.parse("127.0.0.1")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    return path


@pytest.fixture
def context(tmp_path: Path) -> SourceContext:
    return SourceContext(store=FolderStore(tmp_path / "store"), limit_bytes=1 << 20, transfers=4, allow=LOCAL)


@pytest.fixture
def put(bucket_server: BucketServer, bucket_place: BucketPlace) -> Callable[..., None]:
    def put(**objects: bytes) -> None:
        for key, data in objects.items():
            bucket_server.put(bucket_place.bucket, key, data)

    return put


def fetch(place: BucketPlace, name: str | list[str], into: Path, context: SourceContext) -> None:
    params = {"bucketName": place.bucket, "name": name}
    fetch_source(SourceSpec(descriptor="s3", params=params, place=place), into, context)


def failure(place: BucketPlace, name: str | list[str], into: Path, context: SourceContext) -> str:
    with pytest.raises(AttemptFailed) as caught:
        fetch(place, name, into, context)
    assert caught.value.reason is EndReason.DATA_SOURCE
    return caught.value.message


def files(folder: Path) -> dict[str, bytes]:
    return {str(it.relative_to(folder)): it.read_bytes() for it in folder.rglob("*") if it.is_file()}


def test_a_folder_keeps_its_structure_and_the_log_tells_what_was_fetched(
    bucket_place: BucketPlace, put: Callable[..., None], into: Path, context: SourceContext
) -> None:
    notes: list[str] = []
    put(**{"in/a.txt": b"a", "in/b/c d.txt": b"bc", "in/b/": b"", "in/empty": b"", "inner": b"no"})
    fetch(bucket_place, "in", into, replace(context, note=notes.append))
    assert files(into) == {"a.txt": b"a", "b/c d.txt": b"bc", "empty": b""}
    assert notes[-1] == "fetched 3 objects, 3 bytes"
    assert "fetched in/a.txt, 1 bytes, ETag 0cc175b9c0f1b6a831c399e269772661" in notes


def test_odd_keys_stay_in_the_folder_and_apart(
    bucket_place: BucketPlace, put: Callable[..., None], into: Path, context: SourceContext
) -> None:
    put(**{"in/ü%20?#&+.txt": b"1", "in/x": b"2", "in/x~/y": b"3", "in/" + "ä" * 100 + ".txt": b"4"})
    fetch(bucket_place, "in/", into, context)
    assert files(into) == {"ü%20?#&+.txt": b"1", "x": b"2", "x~/y": b"3", "ä" * 100 + ".txt": b"4"}


def test_a_list_of_names_is_fetched_and_none_replaces_another(
    bucket_place: BucketPlace, put: Callable[..., None], into: Path, context: SourceContext
) -> None:
    put(**{"a/x.txt": b"1", "b/x.txt": b"2", "c/1.csv": b"3", "c/d/2.csv": b"4"})
    fetch(bucket_place, ["/a/x.txt", "b/x.txt", "c/**/*.csv"], into, context)
    found = files(into)
    assert sorted(found.values()) == [b"1", b"2", b"3", b"4"]
    assert (found["x.txt"], found["1.csv"], found["d/2.csv"]) == (b"1", b"3", b"4")


def test_what_can_not_be_had_is_told(
    bucket_server: BucketServer,
    bucket_place: BucketPlace,
    put: Callable[..., None],
    into: Path,
    context: SourceContext,
) -> None:
    put(a=b"1234", b=b"5678")
    assert "holds no object nothing" in failure(bucket_place, "nothing", into, context)
    gone = bucket_place.model_copy(update={"bucket": "there-is-none"})
    assert "there-is-none" in failure(gone, "a", into, context)
    stranger = bucket_place.model_copy(update={"secret_key": "wrong"})
    message = failure(stranger, "a", into, context)
    assert "secret key" in message
    assert bucket_server.secret_key not in message
    few = replace(context, limit_bytes=7)
    assert "more than the limit of 7 bytes" in failure(bucket_place, "*", into, few)
    assert "more than 1 objects" in failure(bucket_place, "*", into, replace(context, limit_files=1))
    assert "params.name is missing" in failure(bucket_place, ["a", ""], into, context)


@pytest.mark.parametrize(("changed", "data"), [("in/a", b"behind"), ("in/a", None), ("in/empty", b"x")])
def test_a_change_between_listing_and_fetch_ends_the_attempt(
    bucket_server: BucketServer,
    bucket_place: BucketPlace,
    put: Callable[..., None],
    into: Path,
    context: SourceContext,
    changed: str,
    data: bytes | None,
) -> None:
    class Changing(Bucket):
        def list(
            self, prefix: str = "", *, after: str = "", check: Callable[[], None] = lambda: None
        ) -> Iterator[ObjectInfo]:
            found = list(super().list(prefix, after=after, check=check))
            bucket_server.delete(bucket_place.bucket, changed)
            if data is not None:
                bucket_server.put(bucket_place.bucket, changed, data)
            return iter(found)

    put(**{"in/a": b"before", "in/empty": b""})
    with closing(Changing(bucket_place, LOCAL)) as bucket, pytest.raises(AttemptFailed) as caught:
        fetch_objects(bucket, ("in/",), into, context)
    assert caught.value.reason is EndReason.DATA_SOURCE
    assert f"{changed} was changed after it was listed" in caught.value.message


def test_an_object_that_may_not_be_read_is_told(
    bucket_proxy: BucketProxy, into: Path, context: SourceContext
) -> None:
    place = bucket_proxy.place()
    bucket_proxy.server.put(place.bucket, "in/a", b"1")
    bucket_proxy.faults.add("denied", "GetObject", times=9)
    assert "s3:GetObject" in failure(place, "in/", into, context)


def test_a_lost_lease_stops_every_transfer(
    bucket_place: BucketPlace, put: Callable[..., None], into: Path, context: SourceContext
) -> None:
    def lose(fetched: int) -> None:
        if fetched:
            raise LeaseLost("gone")

    put(**{f"in/{number}": b"x" for number in range(20)})
    with pytest.raises(LeaseLost):
        fetch(bucket_place, "in/", into, replace(context, on_progress=lose))
    assert len(files(into)) < 20


def test_a_full_disk_is_the_workers_own(
    bucket_place: BucketPlace, put: Callable[..., None], context: SourceContext, into: Path
) -> None:
    class Full(Bucket):
        def download(self, key: str, fd: int, size: int, **more: Any) -> None:
            with Path("/dev/full").open("wb") as full:
                super().download(key, full.fileno(), size, **more)

    put(a=b"1234")
    with closing(Full(bucket_place, LOCAL)) as bucket, pytest.raises(OSError, match="No space left"):
        fetch_objects(bucket, ("a",), into, context)


class Endless:
    """A bucket whose objects are listed on demand; notes how far the listing runs ahead of the fetching."""

    def __init__(self, count: int) -> None:
        self.count, self.fetched, self.ahead = count, 0, 0
        self._lock = Lock()

    def list(self, prefix: str, *, check: Callable[[], None]) -> Iterator[ObjectInfo]:
        check()
        for number in range(1, self.count + 1):
            self.ahead = max(self.ahead, number - self.fetched)
            yield ObjectInfo(key=f"{prefix}{number:06}", size=1, etag="e")

    def download(
        self, key: str, fd: int, size: int, *, etag: str, on_progress: Callable[[int], None]
    ) -> None:
        on_progress(size)
        with self._lock:
            self.fetched += 1


def test_a_listing_runs_only_a_little_ahead_however_long_it_is(into: Path, context: SourceContext) -> None:
    bucket: Any = Endless(3000)
    notes: list[str] = []
    fetch_objects(bucket, ("many/",), into, replace(context, note=notes.append))
    assert bucket.fetched == 3000
    assert bucket.ahead <= 2 * context.transfers + 1
    assert (len(notes), notes[-1]) == (1001, "fetched 3000 objects, 3000 bytes")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BucketUnavailable("not now"), EndReason.SOURCE_UNAVAILABLE),
        (BucketDenied("no", permission="list"), EndReason.DATA_SOURCE),
        (ObjectMissing("gone"), EndReason.DATA_SOURCE),
        (AddressRefused("private"), EndReason.DATA_SOURCE),
    ],
)
def test_only_what_may_pass_is_tried_again(error: GridloomError, reason: EndReason) -> None:
    with pytest.raises(AttemptFailed, match=error.message) as caught, failures_named():
        raise error
    assert caught.value.reason is reason


def test_a_reference_is_told_from_others_by_all_that_makes_an_object() -> None:
    place = BucketPlace(kind="aws", bucket="b", access_key="k")
    info = ObjectInfo(key="a", size=1, etag="e")
    digest = reference_digest(place, info)
    assert digest == reference_digest(place.model_copy(update={"access_key": "other"}), info)
    others = [replace(info, key="b"), replace(info, size=2), replace(info, etag="f")]
    assert digest not in [reference_digest(place, it) for it in others]
    assert digest != reference_digest(place.model_copy(update={"kind": "gcp"}), info)
