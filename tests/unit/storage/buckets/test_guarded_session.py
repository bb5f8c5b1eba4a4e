"""An endpoint of a user's leads nowhere that the operator does not allow."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gridloom.buckets import BucketPlace
from gridloom.errors import BucketFailed, BucketUnavailable
from gridloom.net_guard import PrivateHosts
from storage.buckets.access import Patience
from storage.buckets.bucket import Bucket
from storage.buckets.session import Session
from tests.fixtures.bucket_proxy import BucketProxy
from tests.fixtures.certificates import write_certificate
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


class TlsServer:
    """Answers every call with an object of five bytes, for the names of its certificate."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.names: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _FiveBytes)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _FiveBytes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 10:45:30 GMT")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        pass


def test_certificates_are_judged_by_name_though_the_address_was_looked_up_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = write_certificate(tmp_path, "s3.example")
    allow = PrivateHosts.parse("127.0.0.0/8")
    with closing(TlsServer(certificate, key)) as server:
        place = BucketPlace(kind="aws", bucket="b-b", endpoint=f"https://s3.example:{server.port}")
        other = place.model_copy(update={"endpoint": f"https://other.example:{server.port}"})
        for where in (place, other):
            bucket = resolving(Bucket(where, allow, patience=Patience(attempts=1)), "127.0.0.1")
            with closing(bucket), pytest.raises(BucketUnavailable, match="SSL validation failed"):
                bucket.read("k")
            monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        with closing(resolving(Bucket(place, allow), "127.0.0.1")) as bucket:
            assert bucket.read("k") == b"hello"
        assert server.names == ["s3.example", "other.example", "s3.example"]


def test_a_certificate_that_obstore_refuses_is_left_to_boto3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = write_certificate(
        tmp_path, "127.0.0.1"
    )  # an authority's own, which rustls takes for no host's
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with closing(TlsServer(certificate, key)) as server:
        place = BucketPlace(kind="aws", bucket="b-b", endpoint=f"https://127.0.0.1:{server.port}")
        with closing(Bucket(place, PrivateHosts.parse("127.0.0.1"))) as bucket, capture_logs() as logs:
            assert bucket.read("k") == bucket.read("k") == b"hello"
    assert [it["event"] for it in logs] == ["bucket_client_changed"]
