"""The clients are made from what the place says; AWS's variables count for the operator's own bucket alone."""

from contextlib import closing

import pytest

from gridloom.buckets import BucketPlace
from gridloom.errors import BucketDenied, BucketFailed
from gridloom.net_guard import PrivateHosts
from storage.buckets.access import Access
from storage.buckets.bucket import Bucket
from storage.buckets.clients import open_clients
from tests.fixtures.bucket_proxy import BucketProxy
from tests.fixtures.seaweed import BucketServer

ALLOWED = PrivateHosts.parse("127.0.0.1")


@pytest.mark.parametrize(
    ("kind", "endpoint", "region", "url", "signed_for"),
    [
        ("aws", "", "", "https://s3.us-east-1.amazonaws.com", "us-east-1"),
        ("aws", "", "eu-west-3", "https://s3.eu-west-3.amazonaws.com", "eu-west-3"),
        ("gcp", "", "EU (multi)", "https://storage.googleapis.com", "auto"),
        ("storj", "", "global", "https://gateway.storjshare.io", "us1"),
        ("aws", "https://s3.wasabisys.com", "us-west-1", "https://s3.wasabisys.com", "us-west-1"),
    ],
)
def test_each_kind_has_its_server_and_region(
    kind: str, endpoint: str, region: str, url: str, signed_for: str
) -> None:
    place = BucketPlace.model_validate(
        {
            "kind": kind,
            "bucket": "b-b",
            "endpoint": endpoint,
            "region": region,
            "access_key": "a",
            "secret_key": "s",
        }
    )
    clients = open_clients(
        Access(place=place, allow=PrivateHosts(), ambient=False, trusted=False, transfers=4)
    )
    with closing(clients.service):
        meta = clients.service._client.meta
        assert (meta.endpoint_url, meta.region_name) == (url, signed_for)
        assert (clients.store is None) == bool(endpoint)


def test_a_users_bucket_is_asked_with_the_users_keys_alone(
    bucket_proxy: BucketProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "operator",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_UNSIGNED_PAYLOAD": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_REGION": "mars-1",
    }.items():
        monkeypatch.setenv(name, value)
    with closing(Bucket(bucket_proxy.place(), ALLOWED)) as bucket:
        bucket.put("k", b"x")
        assert bucket.look("k").size == 1
    for request in bucket_proxy.requests:
        assert "/us-east-1/s3/" in request.headers["authorization"]
        assert "x-amz-security-token" not in request.headers
        assert request.headers["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD"
        assert not any(it.startswith("x-amz-checksum") for it in request.headers)
    place = bucket_proxy.place(bucket.place.bucket, access_key="", secret_key="")
    with closing(Bucket(place, ALLOWED)) as anybodys, pytest.raises(BucketDenied):
        anybodys.read("k")
    assert "authorization" not in bucket_proxy.requests[-1].headers


def test_the_operators_own_bucket_may_be_asked_with_the_variables_keys(
    bucket_server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket_server.secret_key)
    place = bucket_server.place(access_key="", secret_key="")
    with closing(Bucket(place, PrivateHosts(), ambient=True, trusted=True)) as bucket:
        bucket.put("k", b"x")
        assert (bucket.read("k"), bucket.look("k").size) == (b"x", 1)
        assert "X-Amz-Signature" in bucket.link("k", 60)


def test_a_key_that_no_header_takes_is_refused_without_being_quoted() -> None:
    place = BucketPlace(kind="aws", bucket="b-b", access_key="a", secret_key="s", session_token="swordfish\n")
    with closing(Bucket(place, ALLOWED)) as bucket, pytest.raises(BucketFailed, match="line's end") as caught:
        bucket.look("k")
    assert "swordfish" not in str(caught.value)
