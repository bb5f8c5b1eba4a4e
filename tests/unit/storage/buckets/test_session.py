"""Which client moves the bytes, and where the bucket lies, is found out as calls are answered."""

import re
import subprocess
import sys
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from gridloom.errors import BucketDenied, BucketFailed
from gridloom.net_guard import PrivateHosts
from storage.buckets.bucket import Bucket
from tests.fixtures.bucket_faults import Request
from tests.fixtures.bucket_proxy import BucketProxy

ALLOWED = PrivateHosts.parse("127.0.0.1")


def by_obstore(request: Request) -> bool:
    return "boto" not in request.headers.get("user-agent", "").lower()


def test_small_objects_move_by_obstore_and_the_rest_by_boto3(bucket_proxy: BucketProxy) -> None:
    with closing(Bucket(bucket_proxy.place(), ALLOWED)) as bucket:
        bucket.put("k", b"x")
        bucket.read("k")
        bucket.put("odd//key", b"x")
        bucket.look("k")
    assert [it.operation for it in bucket_proxy.seen(by_obstore)] == ["PutObject", "GetObject"]


def test_a_server_that_refuses_obstore_is_asked_by_boto3_from_then_on(bucket_proxy: BucketProxy) -> None:
    bucket_proxy.faults.add("denied", by_obstore, times=9)
    with closing(Bucket(bucket_proxy.place(), ALLOWED)) as bucket, capture_logs() as logs:
        bucket.put("k", b"x")
        assert bucket.read("k") == b"x"
    assert len(bucket_proxy.seen(by_obstore)) == 1
    assert [(it["event"], it["code"]) for it in logs] == [("bucket_client_changed", "AccessDenied")]


def test_what_both_clients_are_refused_changes_nothing(bucket_proxy: BucketProxy) -> None:
    with closing(Bucket(bucket_proxy.place(), ALLOWED)) as bucket, capture_logs() as logs:
        bucket_proxy.faults.add("expired", times=2)
        with pytest.raises(BucketDenied, match="session token has expired"):
            bucket.put("k", b"x")
        bucket.put("k", b"x")
    assert logs == []
    assert bucket_proxy.seen(by_obstore)[-1] == bucket_proxy.requests[-1]


@pytest.mark.parametrize("kind", ["wrong_region", "malformed_region"])
def test_a_bucket_is_followed_to_its_region(bucket_proxy: BucketProxy, kind: str) -> None:
    def elsewhere(request: Request) -> bool:
        return "/us-east-1/s3/" in request.headers.get("authorization", "")

    bucket_proxy.faults.add(kind, elsewhere, times=99)
    with closing(Bucket(bucket_proxy.place(), ALLOWED)) as bucket, capture_logs() as logs:
        bucket.put("k", b"x")
        assert bucket.read("k") == b"x"
        assert bucket.look("k").size == 1
        assert list(bucket.list())
        assert bucket.link("k", 60).count("eu-central-1")
    assert [it["event"] for it in logs] == ["bucket_region_followed"]
    assert len(bucket_proxy.seen(by_obstore)) == 3


def test_a_region_that_can_not_be_followed_is_told(bucket_proxy: BucketProxy) -> None:
    bucket_proxy.faults.add("malformed_region", times=99)
    with (
        closing(Bucket(bucket_proxy.place(region="eu-west-1"), ALLOWED)) as bucket,
        pytest.raises(BucketFailed, match=re.escape("lies in the region eu-central-1, not in eu-west-1")),
    ):
        bucket.read("k")


def test_no_client_is_loaded_before_a_bucket_is_asked() -> None:
    code = (
        "import sys; from gridloom.buckets import BucketPlace; from gridloom.net_guard import PrivateHosts;"
        "from storage.buckets.bucket import Bucket;"
        "Bucket(BucketPlace(kind='aws', bucket='b'), PrivateHosts());"
        "sys.exit(any(it.partition('.')[0] in ('boto3', 'botocore', 'obstore') for it in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
