"""A bucket on a real S3 server: objects go in and come out as they were, and refusals say what is wrong."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from gridloom.errors import (
    BucketDenied,
    BucketFailed,
    BucketUnavailable,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
)
from gridloom.net_guard import PrivateHosts
from storage.buckets.access import Patience
from storage.buckets.bucket import Bucket
from tests.fixtures.seaweed import BucketServer

ALLOWED = PrivateHosts.parse("127.0.0.1")
LONG = "/".join(["k" * 203] * 5) + "/end"  # 1,023 bytes; SeaweedFS takes 255 in a part
ODD_KEYS = ("a b", "a+b", "a%20b", "ünï/çødé 日本", "a//b", "/lead", "c\x01d", "q?x=1#&y", "~!*'()", LONG)


def test_a_put_object_is_found_with_what_was_said_of_it(bucket: Bucket) -> None:
    stored = bucket.put("x/one", b"hello", content_type="text/plain", metadata={"gridloom-job": "job_1"})
    found = bucket.look("x/one")
    assert (found.size, found.etag, found.content_type) == (5, stored.etag, "text/plain")
    assert found.metadata == stored.metadata == {"gridloom-job": "job_1"}
    assert found.modified_at is not None


@pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
def test_keys_keep_every_character(bucket: Bucket, key: str) -> None:
    bucket.put(key, key.encode())
    assert bucket.read(key) == key.encode()
    bucket.put("also " + key[:900], b"")
    assert bucket.delete([key, "also " + key[:900]]) == 2
    with pytest.raises(ObjectMissing):
        bucket.look(key)


def test_a_key_that_the_server_refuses_is_told(bucket: Bucket) -> None:
    with pytest.raises(BucketFailed, match=r"object 'a/\.\./b'.* refused to write"):
        bucket.put("a/../b", b"x")


def test_reads_end_where_the_object_does(bucket: Bucket) -> None:
    etag = bucket.put("k", b"0123456789").etag
    assert bucket.read("k", etag=etag) == b"0123456789"
    assert bucket.read("k", 2, 3) == b"234"
    assert bucket.read("k", 8, 99) == b"89"
    assert bucket.read("k", 10) == bucket.read("k", 3, 0) == b""
    assert [bytes(it) for it in bucket.stream("k", 4, block=4)]
    bucket.put("empty", b"")
    assert bucket.read("empty") == b""


def test_a_missing_or_changed_object_is_told_before_the_first_byte(bucket: Bucket) -> None:
    bucket.put("k", b"new")
    with pytest.raises(ObjectChanged, match="'k'"):
        bucket.stream("k", etag="0" * 32)
    with pytest.raises(ObjectMissing, match="no object 'nothing'"):
        bucket.stream("nothing")


def test_a_taken_key_is_left_alone(bucket: Bucket) -> None:
    bucket.put("k", b"first", only_new=True)
    with pytest.raises(ObjectExists, match="'k' already"):
        bucket.put("k", b"second", only_new=True)
    assert bucket.read("k") == b"first"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"secret_key": "wrong"}, "does not belong to its access key"),
        ({"access_key": "nobody"}, "its access key is not known"),
        ({"access_key": "", "secret_key": ""}, "a secret that allows s3:GetObject is needed"),
    ],
)
def test_wrong_keys_are_told_apart(
    bucket_server: BucketServer, changes: dict[str, Any], message: str
) -> None:
    with closing(Bucket(bucket_server.place(**changes), ALLOWED)) as bucket:
        for call in (bucket.read, bucket.look):
            with pytest.raises(BucketDenied, match=message) as caught:
                call("k")
            assert "wrong" not in caught.value.message


def test_a_missing_bucket_is_told_from_a_missing_object(bucket_server: BucketServer) -> None:
    with closing(Bucket(bucket_server.place("no-such-bucket"), ALLOWED)) as bucket:
        for call in (bucket.read, bucket.look, lambda key: list(bucket.list(key))):
            with pytest.raises(ObjectMissing, match="there is no bucket no-such-bucket"):
                call("k")


def test_names_that_would_change_the_address_are_refused(bucket_server: BucketServer) -> None:
    for name, region in (("../x", ""), ("b-b", "evil.example/?"), ("arn:aws:s3:::x", "")):
        with (
            closing(Bucket(bucket_server.place(name, region=region), ALLOWED)) as bucket,
            pytest.raises(BucketFailed, match="is not the name of a"),
        ):
            bucket.look("k")


def test_a_server_that_does_not_answer_is_unavailable(bucket_server: BucketServer) -> None:
    place = bucket_server.place("b-b", endpoint="http://127.0.0.1:1")
    with (
        closing(Bucket(place, ALLOWED, patience=Patience(attempts=1))) as bucket,
        pytest.raises(BucketUnavailable, match=r"127\.0\.0\.1:1 can't"),
    ):
        bucket.look("k")


def test_a_link_gives_the_object_under_a_name(bucket: Bucket) -> None:
    bucket.put("dir/k", b"linked")
    with urlopen(bucket.link("dir/k", 60, file_name='ü"1".txt')) as answer:
        assert answer.read() == b"linked"
        assert answer.headers["Content-Disposition"] == (
            "attachment; filename=\"__1_.txt\"; filename*=UTF-8''%C3%BC%221%22.txt"
        )


def test_a_link_may_name_the_server_otherwise_and_needs_no_keys(bucket_server: BucketServer) -> None:
    with closing(Bucket(bucket_server.place("b-b"), ALLOWED)) as bucket:
        assert bucket.link("k", 60, endpoint="https://s3.example.com").startswith(
            "https://s3.example.com/b-b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        )
    place = bucket_server.place("b-b", access_key="", secret_key="")
    with closing(Bucket(place, ALLOWED)) as bucket:
        assert bucket.link("a k", 60, file_name="x") == f"{bucket_server.endpoint}/b-b/a%20k"


def test_an_empty_object_is_downloaded_if_it_is_the_right_one(bucket: Bucket, tmp_path: Path) -> None:
    etag = bucket.put("empty", b"").etag
    fd = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    bucket.download("empty", fd, 0, etag=etag)
    with pytest.raises(ObjectChanged):
        bucket.download("empty", fd, 0, etag="0" * 32)
    with pytest.raises(ObjectMissing):
        bucket.download("nothing", fd, 0)
    os.close(fd)
