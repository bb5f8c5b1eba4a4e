"""Listings come page by page, deletions as the server allows, and nobody's unfinished uploads stay."""

from contextlib import closing

import pytest
from structlog.testing import capture_logs

from gridloom.errors import BucketDenied
from gridloom.net_guard import PrivateHosts
from storage.buckets import listing
from storage.buckets.bucket import Bucket
from tests.fixtures.bucket_proxy import BucketProxy, dialect_proxy
from tests.fixtures.seaweed import BucketServer

ALLOWED = PrivateHosts.parse("127.0.0.1")
KEYS = ["a/1", "a/2 +%é", "a/b/3", "a/b/4", "top"]


@pytest.fixture
def far(bucket_proxy: BucketProxy) -> Bucket:
    bucket = Bucket(bucket_proxy.place(), ALLOWED)
    for key in KEYS:
        bucket.put(key, b"x")
    return bucket


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_PAGE", 2)


def test_a_listing_asks_for_pages_as_they_are_used_up(far: Bucket, bucket_proxy: BucketProxy) -> None:
    with closing(far):
        found = far.list()
        assert (next(found).key, len(bucket_proxy.seen("ListObjectsV2"))) == (KEYS[0], 1)
        assert [it.key for it in found] == KEYS[1:]
        assert [it.key for it in far.list("a/", after=KEYS[1])] == KEYS[2:4]
        assert [(it.size, len(it.etag)) for it in far.list("top")] == [(1, 32)]
        assert list(far.list("none")) == []


def test_a_folder_has_folders_and_objects_in_pages(far: Bucket) -> None:
    with closing(far):
        page = far.folder()
        assert (page.folders, [it.key for it in page.objects], page.after) == (("a/",), ["top"], "")
        names, after = [], ""
        while True:
            page = far.folder("a/", after=after, limit=1)
            names += [*page.folders, *(it.key for it in page.objects)]
            after = page.after
            if not after:
                break
        assert sorted(names) == ["a/1", "a/2 +%é", "a/b/"]


def test_deletions_go_in_one_call_or_singly(far: Bucket, bucket_server: BucketServer) -> None:
    with closing(far):
        assert far.delete(it.key for it in far.list("a/")) == 4
        assert far.delete(["top", "was never there"]) == 2
        assert list(far.list()) == []
    with (
        dialect_proxy(bucket_server, "gcp") as proxy,
        closing(Bucket(proxy.place(), ALLOWED)) as bucket,
        capture_logs() as logs,
    ):
        for key in KEYS:
            bucket.put(key, b"x")
        assert bucket.delete(KEYS) == len(KEYS)
        assert len(proxy.seen("DeleteObjects")) == 1
        assert list(bucket.list()) == []
    assert [it["event"] for it in logs] == ["bucket_deletes_singly"]


def test_denied_calls_name_the_permission(far: Bucket, bucket_proxy: BucketProxy) -> None:
    bucket_proxy.faults.add("denied", times=9)
    with closing(far):
        for call, permission, action in (
            (lambda: next(far.list()), "list", "s3:ListBucket"),
            (lambda: far.look("top"), "read", "s3:GetObject"),
            (lambda: far.put("k", b""), "write", "s3:PutObject"),
            (lambda: far.delete(["a", "b"]), "delete", "s3:DeleteObject"),
        ):
            with pytest.raises(BucketDenied, match=action) as caught:
                call()
            assert caught.value.permission == permission


def test_unfinished_uploads_are_aborted_where_they_may_be_listed(
    far: Bucket, bucket_proxy: BucketProxy
) -> None:
    client, name = bucket_proxy.server.client, far.place.bucket
    for key in ("u/1 +", "u/2", "u/3", "v"):
        client.create_multipart_upload(Bucket=name, Key=key)
    with closing(far):
        assert far.abort_uploads("u/", older_than_s=3600) == 0
        assert far.abort_uploads("u/") == 3
        assert bucket_proxy.server.uploads(name) == ["v"]
        bucket_proxy.faults.add("denied", "ListMultipartUploads")
        assert far.abort_uploads("") == 0
