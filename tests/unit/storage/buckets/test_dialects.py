"""A server is trusted when it is a kind's own, or when the operator named it."""

import pytest

from gridloom.buckets import BucketKind, BucketPlace
from gridloom.net_guard import PrivateHosts
from storage.buckets.dialects import trusts


@pytest.mark.parametrize(
    ("kind", "endpoint", "allowed", "trusted"),
    [
        ("aws", "", "", True),
        ("gcp", "https://storage.googleapis.com", "", True),
        ("aws", "https://storage.googleapis.com", "", False),
        ("aws", "https://s3.example.com", "", False),
        ("aws", "https://s3.example.com:9000", "s3.example.com", True),
        ("aws", "https://S3.Example.com.", "s3.example.com", True),
        ("aws", "http://10.1.2.3:9000", "10.1.2.3", True),
        ("aws", "http://[fd00::1]:9000", "fd00::1", True),
        ("aws", "http://10.1.2.3:9000", "10.0.0.0/8", False),
        ("aws", "http://s3.example.com", "10.0.0.0/8", False),
        ("aws", "http://8.8.8.8", "10.0.0.0/8", False),
    ],
)
def test_which_servers_are_trusted(kind: BucketKind, endpoint: str, allowed: str, trusted: bool) -> None:
    place = BucketPlace(kind=kind, bucket="b-b", endpoint=endpoint)
    assert trusts(place, PrivateHosts.parse(allowed)) is trusted
