"""An endpoint of a user's leads nowhere that the operator does not allow."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from gridloom.buckets import BucketPlace
from gridloom.errors import BucketFailed, BucketUnavailable
from gridloom.net_guard import PrivateHosts
from storage.buckets.access import Patience
from storage.buckets.bucket import Bucket
from storage.buckets.session import Session
from tests.fixtures.bucket_proxy import BucketProxy
from tests.fixtures.seaweed import BucketServer


class Canary:
    """Listens, and counts who comes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.visits = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                self._listener.accept()[0].close()
            except OSError:
                return
            self.visits += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    with closing(Canary()) as it:
        yield it


def resolving(bucket: Bucket, *addresses: str) -> Bucket:
    """Let every name lead to these addresses, the first time it is looked up to the first and so on."""
    left = list(addresses)

    def lookup(_host: str, port: int, **_: Any) -> list[Any]:
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    bucket._session = Session(replace(bucket._session.access, lookup=lookup))
    return bucket


@pytest.mark.parametrize("allowed", ["", "192.168.0.0/16 other.example"])
def test_a_name_that_leads_into_a_private_network_is_not_visited(canary: Canary, allowed: str) -> None:
    place = BucketPlace(
        kind="aws", bucket="b-b", endpoint=f"http://s3.example:{canary.port}", access_key="a", secret_key="b"
    )
    with closing(resolving(Bucket(place, PrivateHosts.parse(allowed)), "127.0.0.1")) as bucket:
        for call in (bucket.look, bucket.read, lambda key: bucket.put(key, b"x")):
            with pytest.raises(BucketFailed, match=r"s3\.example.*GRIDLOOM_ALLOW_PRIVATE_HOSTS"):
                call("k")
    assert canary.visits == 0


def test_an_address_in_an_allowed_network_is_visited_under_its_name(bucket_proxy: BucketProxy) -> None:
    place = bucket_proxy.place(endpoint=bucket_proxy.endpoint.replace("127.0.0.1", "s3.example"))
    with closing(resolving(Bucket(place, PrivateHosts.parse("127.0.0.0/8")), "127.0.0.1")) as bucket:
        bucket.put("k", b"judged")
        assert bucket.read("k") == b"judged"
    assert {it.headers["host"].partition(":")[0] for it in bucket_proxy.requests} == {"s3.example"}
    assert all("boto" in it.headers["user-agent"].lower() for it in bucket_proxy.requests)


def test_a_redirect_is_not_followed_elsewhere(bucket_proxy: BucketProxy, canary: Canary) -> None:
    bucket_proxy.faults.add("redirect", times=99, location=f"http://127.0.0.1:{canary.port}/")
    place = bucket_proxy.place(endpoint=bucket_proxy.endpoint.replace("127.0.0.1", "s3.example"))
    with closing(resolving(Bucket(place, PrivateHosts.parse("127.0.0.0/8")), "127.0.0.1")) as bucket:
        for call in (bucket.look, bucket.read, lambda key: bucket.put(key, b"x")):
            with pytest.raises(BucketFailed):
                call("k")
    assert canary.visits == 0


def test_proxies_of_the_environment_are_left_out(
    bucket_proxy: BucketProxy, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    place = bucket_proxy.place(endpoint=bucket_proxy.endpoint.replace("127.0.0.1", "s3.example"))
    with closing(resolving(Bucket(place, PrivateHosts.parse("127.0.0.0/8")), "127.0.0.1")) as bucket:
        bucket.put("k", b"x")
    assert canary.visits == 0


def test_a_name_that_leads_nowhere_is_unavailable(bucket_server: BucketServer) -> None:
    place = bucket_server.place("b-b", endpoint="http://s3.invalid")
    with (
        closing(Bucket(place, PrivateHosts(), patience=Patience(attempts=1))) as bucket,
        pytest.raises(BucketUnavailable, match=r"s3\.invalid can't be reached"),
    ):
        bucket.look("k")
