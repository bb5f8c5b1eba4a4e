"""Looks at destinations in buckets of a real S3 server, which try to write there."""

import pytest

from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import BucketParams
from storage.destinations.probes import probe_bucket
from storage.probing import Look
from storage.sources.bucket_probes import probe_objects
from tests.fixtures.bucket_proxy import dialect_proxy


def probe(server, name, bucket, **asked):
    params = BucketParams(place=server.place(bucket), names=(name,), secret_id="lake")
    return probe_bucket(params, Look(**asked), PrivateHosts.parse("127.0.0.1"))


@pytest.mark.parametrize(("name", "folder"), [("out", "out/"), ("/out/", "out/"), ("", "")])
def test_a_file_is_written_and_deleted_again(bucket_proxy, bucket_server, name, folder):
    bucket = bucket_server.make_bucket()
    bucket_server.put(bucket, f"{folder}old.txt", b"old")
    found = probe(bucket_proxy, name, bucket)
    assert found.outcome.permissions == {"list": True, "read": True, "write": True}
    assert (found.path, found.size, found.outcome.problems) == (folder, 3, ())
    assert [it.key for it in found.files.files] == [f"{folder}old.txt"]
    assert bucket_server.keys(bucket) == [f"{folder}old.txt"]
    [written] = bucket_proxy.seen("PutObject")
    assert written.key.startswith(f"{folder}.gridloom/probe-")


@pytest.mark.parametrize(
    ("denied", "permissions", "problem"),
    [
        ("PutObject", {"list": True, "write": False}, "s3:PutObject"),
        ("ListObjectsV2", {"list": False, "read": True, "write": True}, "s3:ListBucket"),
        ("DeleteObject", {"list": True, "read": True, "write": True}, "s3:DeleteObject"),
    ],
)
def test_each_missing_permission_is_told(bucket_proxy, bucket_server, denied, permissions, problem):
    bucket = bucket_server.make_bucket()
    bucket_proxy.faults.add("denied", denied, times=9)
    found = probe(bucket_proxy, "out", bucket)
    assert found.outcome.permissions == permissions
    assert problem in found.outcome.problems[0]
    assert ("stays there" in found.outcome.problems[0]) == (denied == "DeleteObject")


def test_who_may_do_nothing_is_refused(bucket_proxy, bucket_server):
    bucket = bucket_server.make_bucket()
    bucket_proxy.faults.add("denied", times=99)
    with pytest.raises(BadInput, match=r"s3:ListBucket.*s3:PutObject") as caught:
        probe(bucket_proxy, "out", bucket)
    assert caught.value.field == "dataDestination.params.secret_id"


@pytest.mark.parametrize("dialect", ["gcp", "storj"])
def test_other_dialects_take_what_is_tried(bucket_server, dialect):
    bucket = bucket_server.make_bucket()
    bucket_server.put(bucket, "out/old.txt", b"old")
    with dialect_proxy(bucket_server, dialect) as proxy:
        found = probe(proxy, "out", bucket)
        params = BucketParams(place=proxy.place(bucket), names=("out/old.txt",))
        read = probe_objects(params, Look(), PrivateHosts.parse("127.0.0.1"))
    assert found.outcome.permissions == {"list": True, "read": True, "write": True}
    assert (read.outcome.permissions, read.size) == ({"list": True, "read": True}, 3)
    assert bucket_server.keys(bucket) == ["out/old.txt"]
