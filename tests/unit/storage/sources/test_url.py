"""URL sources against a real server: bounds, redirects, credentials, and a canary that nobody may reach."""

import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gridloom.errors import AttemptFailed
from gridloom.net_guard import PrivateHosts
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from storage.folder import FolderStore
from storage.sources import url
from storage.sources.context import SourceContext
from storage.sources.url import Conditions, fetch_url, file_name

LOCAL = PrivateHosts.parse("127.0.0.1")
QUICK = Conditions(connect_s=2, read_s=2, total_s=10, wait_s=0.01)


class Server(ThreadingHTTPServer):
    """Serves by path: /status/N, /to/URL, /bytes/N, /lie/N, /short, /drip, /flaky, /gzip, /header."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        verb, _, rest = self.path.removeprefix("/").partition("/")
        with suppress(OSError):
            getattr(self, f"on_{verb}")(rest)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def on_status(self, rest: str) -> None:
        self.answer(int(rest), b"body")

    def on_to(self, rest: str) -> None:
        self.answer(302, b"x" * 100, Location=rest)

    def on_loop(self, rest: str) -> None:
        self.answer(302, Location=f"/loop/{int(rest) + 1}")

    def on_hops(self, rest: str) -> None:
        self.answer(302, Location=f"/hops/{int(rest) - 1}" if int(rest) > 1 else "/bytes/3")

    def on_bytes(self, rest: str) -> None:
        self.answer(200, b"x" * int(rest.partition("/")[0]))

    def on_lie(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(int(rest)):
            self.wfile.write(b"x" * 1000)

    def on_short(self, rest: str) -> None:
        self.answer(200, b"x" * 10, Content_Length="20")

    def on_drip(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.stopping.wait(0.02):
            self.wfile.write(b"x")

    def on_header(self, rest: str) -> None:
        while not self.server.stopping.wait(0.02):
            self.wfile.write(b"H")

    def on_endless(self, rest: str) -> None:
        self.send_response(302)
        self.send_header("Location", "/bytes/3")
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

    def on_flaky(self, rest: str) -> None:
        tries = sum(path == self.path for path, _ in self.server.seen)
        self.answer(200 if tries >= int(rest) else 503, b"finally")

    def on_gzip(self, rest: str) -> None:
        self.answer(200, b"\x1f\x8bcompressed", Content_Encoding="gzip")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    yield from serve()


@pytest.fixture
def canary() -> Iterator[Server]:
    yield from serve()


def serve() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.stopping.set()
        running.shutdown()
        thread.join()


def get(
    address: str,
    into: Path,
    allow: PrivateHosts = LOCAL,
    conditions: Conditions = QUICK,
    limit_bytes: int = 10_000,
    **more: Any,
) -> Path:
    path = into / file_name(address, allow)
    fetch_url(address, path, limit_bytes=limit_bytes, allow=allow, conditions=conditions, **more)
    return path


def failure(address: str, into: Path, *, reason: EndReason = EndReason.DATA_SOURCE, **more: Any) -> str:
    with pytest.raises(AttemptFailed) as caught:
        get(address, into, **more)
    assert caught.value.reason is reason
    return caught.value.message


def unavailable(address: str, into: Path, **more: Any) -> str:
    return failure(address, into, reason=EndReason.SOURCE_UNAVAILABLE, **more)


def test_a_file_is_fetched_under_the_name_in_its_url(server: Server, tmp_path: Path) -> None:
    seen: list[int] = []
    path = get(f"{server.url}/bytes/5000/my%20book.txt?x=1#y", tmp_path, on_progress=seen.append)
    assert path == tmp_path / "my book.txt"
    assert path.read_bytes() == b"x" * 5000
    assert seen[-1] == 5000
    assert server.seen[0][1]["Accept-Encoding"] == "identity"


def test_a_url_without_a_file_name_gets_one(server: Server, tmp_path: Path) -> None:
    assert get(f"{server.url}/bytes/3/", tmp_path) == tmp_path / "data.bin"
    assert get(f"{server.url}/bytes/3/..%2f..%2fevil", tmp_path) == tmp_path / "evil"


def test_compressed_bytes_are_kept_as_they_are_sent(server: Server, tmp_path: Path) -> None:
    assert get(f"{server.url}/gzip", tmp_path).read_bytes() == b"\x1f\x8bcompressed"


@pytest.mark.parametrize("status", [401, 404, 410])
def test_a_refusal_names_host_and_status_and_is_not_repeated(
    status: int, server: Server, tmp_path: Path
) -> None:
    assert f"127.0.0.1 answers HTTP {status}" in failure(f"{server.url}/status/{status}", tmp_path)
    assert len(server.seen) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_error_is_tried_three_times(server: Server, tmp_path: Path) -> None:
    assert get(f"{server.url}/flaky/3", tmp_path).read_bytes() == b"finally"
    assert "answers HTTP 503" in unavailable(f"{server.url}/flaky/9", tmp_path)
    assert len(server.seen) == 6


def test_a_body_shorter_than_promised_is_tried_again(server: Server, tmp_path: Path) -> None:
    assert "can't be fetched" in unavailable(f"{server.url}/short", tmp_path)
    assert len(server.seen) == 3


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "127.0.0.1 can't be fetched" in unavailable(f"http://127.0.0.1:{port}/", tmp_path)


def test_a_name_that_does_not_resolve_is_named(tmp_path: Path) -> None:
    def lookup(*args: object, **more: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    message = failure("http://nowhere.example/", tmp_path, conditions=Conditions(wait_s=0, lookup=lookup))
    assert message == (
        "the data source at nowhere.example can't be fetched: the name can't be resolved: Name or service not known"
    )


def test_a_declared_size_over_the_limit_is_refused_unread(server: Server, tmp_path: Path) -> None:
    assert "holds 10001 bytes; the limit is 10000" in failure(f"{server.url}/bytes/10001", tmp_path)
    get(f"{server.url}/bytes/10000", tmp_path)


def test_an_undeclared_size_is_cut_at_the_limit(server: Server, tmp_path: Path) -> None:
    assert "more than the limit of 10000 bytes" in failure(f"{server.url}/lie/1000000", tmp_path)
    assert (tmp_path / "1000000").stat().st_size <= 10_000


@pytest.mark.parametrize("path", ["drip", "header"])
def test_a_slow_answer_is_cut_at_the_time_limit(path: str, server: Server, tmp_path: Path) -> None:
    start = time.monotonic()
    message = unavailable(
        f"{server.url}/{path}", tmp_path, conditions=Conditions(read_s=1, total_s=0.3, wait_s=0.01)
    )
    assert "can't be fetched" in message
    assert time.monotonic() - start < 2


def test_five_redirects_are_followed_and_no_more(server: Server, tmp_path: Path) -> None:
    assert get(f"{server.url}/hops/5", tmp_path).read_bytes() == b"xxx"
    assert "redirects more than 5 times" in failure(f"{server.url}/loop/0", tmp_path)
    assert len(server.seen) == 12


def test_the_body_of_a_redirect_is_not_read(server: Server, tmp_path: Path) -> None:
    assert get(f"{server.url}/endless", tmp_path).read_bytes() == b"xxx"


def names_to_local(host: str, port: int, **more: Any) -> list[Any]:
    return socket.getaddrinfo("127.0.0.1", port, **more)


def test_a_redirect_into_a_private_network_is_refused(server: Server, canary: Server, tmp_path: Path) -> None:
    allow = PrivateHosts.parse("friend.example")
    conditions = Conditions(wait_s=0, lookup=names_to_local)
    for host in ("127.0.0.1", "localhost", "2130706433", "enemy.example", "[::1]", "[::ffff:127.0.0.1]"):
        start = f"http://friend.example:{server.server_port}/to/http://{host}:{canary.server_port}/"
        message = failure(start, tmp_path, allow=allow, conditions=conditions)
        assert "GRIDLOOM_ALLOW_PRIVATE_HOSTS" in message
        assert "friend.example" in message
    assert canary.connections == 0


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/"]
)
def test_a_redirect_to_anything_but_plain_http_is_refused(
    target: str, server: Server, tmp_path: Path
) -> None:
    assert "only http and https URLs without user names" in failure(f"{server.url}/to/{target}", tmp_path)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_no_spelling_of_loopback_reaches_the_canary(host: str, canary: Server, tmp_path: Path) -> None:
    message = failure(f"http://{host}:{canary.server_port}/", tmp_path, allow=PrivateHosts())
    assert "private network" in message
    assert canary.connections == 0


def test_a_name_with_one_private_address_is_refused(canary: Server, tmp_path: Path) -> None:
    def lookup(host: str, port: int, **more: Any) -> list[Any]:
        return socket.getaddrinfo("192.0.2.1", port, **more) + names_to_local(host, port, **more)

    conditions = Conditions(wait_s=0, lookup=lookup)
    failure(
        f"http://rebind.example:{canary.server_port}/", tmp_path, allow=PrivateHosts(), conditions=conditions
    )
    assert canary.connections == 0


def test_a_name_is_resolved_once_for_each_connection(server: Server, tmp_path: Path) -> None:
    looked_up: list[str] = []

    def lookup(host: str, port: int, **more: Any) -> list[Any]:
        looked_up.append(host)
        address = "127.0.0.1" if len(looked_up) == 1 else "192.0.2.1"
        return socket.getaddrinfo(address, port, **more)

    get(f"http://name.example:{server.server_port}/bytes/3", tmp_path, conditions=Conditions(lookup=lookup))
    assert looked_up == ["name.example"]
    assert server.seen[0][1]["Host"] == f"name.example:{server.server_port}"


def test_each_address_of_a_name_is_tried(server: Server, tmp_path: Path) -> None:
    def lookup(host: str, port: int, **more: Any) -> list[Any]:
        return socket.getaddrinfo("127.0.0.2", port, **more) + names_to_local(host, port, **more)

    conditions = Conditions(lookup=lookup)
    allow = PrivateHosts.parse("two.example")
    assert get(
        f"http://two.example:{server.server_port}/bytes/3", tmp_path, allow=allow, conditions=conditions
    ).exists()


def test_proxies_of_the_environment_are_ignored(
    server: Server, canary: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, canary.url)
    get(f"{server.url}/bytes/3", tmp_path)
    assert canary.connections == 0


def test_credentials_stay_with_their_host(server: Server, canary: Server, tmp_path: Path) -> None:
    secret = "Basic " + b64encode(b"me:pass").decode()
    get(f"{server.url}/to/{server.url}/bytes/3", tmp_path, auth=("me", "pass"))
    assert [headers.get("Authorization") for _, headers in server.seen] == [secret, secret]
    get(f"{server.url}/to/{canary.url}/bytes/3", tmp_path, auth=("me", "pass"))
    assert "Authorization" not in canary.seen[0][1]


def test_the_params_of_a_source_are_used(server: Server, tmp_path: Path) -> None:
    context = SourceContext(store=FolderStore(tmp_path / "store"), limit_bytes=100, allow=LOCAL)
    params = {"url": f"{server.url}/bytes/3/a.txt", "name": "", "username": "me", "password": ""}
    url.fetch(SourceSpec(descriptor="url", params=params), tmp_path, context)
    assert (tmp_path / "a.txt").read_bytes() == b"xxx"
    assert server.seen[0][1]["Authorization"].startswith("Basic ")
    url.fetch(SourceSpec(descriptor="url", params=params | {"username": ""}), tmp_path, context)
    assert "Authorization" not in server.seen[1][1]


def test_a_list_is_fetched_whole_and_no_file_replaces_another(server: Server, tmp_path: Path) -> None:
    notes: list[str] = []
    urls = [f"{server.url}/bytes/{size}/a.txt" for size in (3, 4, 5)] + [f"{server.url}/bytes/6/b.txt"]
    context = SourceContext(
        store=FolderStore(tmp_path / "store"),
        limit_bytes=18,
        transfers=4,
        allow=LOCAL,
        note=notes.append,
    )
    into = tmp_path / "into"
    into.mkdir()
    url.fetch(SourceSpec(descriptor="url", params={"url": [*urls, urls[0]]}), into, context)
    assert sorted(it.stat().st_size for it in into.iterdir()) == [3, 4, 5, 6]
    assert ((into / "a.txt").stat().st_size, (into / "b.txt").stat().st_size) == (3, 6)
    assert len(server.seen) == 4
    assert "fetched b.txt, 6 bytes" in notes


def test_the_limit_counts_for_a_list_as_a_whole(server: Server, tmp_path: Path) -> None:
    urls = [f"{server.url}/bytes/60/{name}" for name in "abc"]
    context = SourceContext(store=FolderStore(tmp_path / "store"), limit_bytes=100, transfers=2, allow=LOCAL)
    with pytest.raises(AttemptFailed, match="more than the limit of 100 bytes"):
        url.fetch(SourceSpec(descriptor="url", params={"url": urls}), tmp_path, context)


def test_a_full_disk_is_the_workers_fault(server: Server, tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(AttemptFailed, match="no space left") as caught:
        get(f"{server.url}/bytes/3/full", tmp_path)
    assert caught.value.reason is EndReason.DISK_FULL


def test_whoever_watches_the_progress_may_stop_it(server: Server, tmp_path: Path) -> None:
    def stop(_bytes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(f"{server.url}/bytes/3", tmp_path, on_progress=stop)
