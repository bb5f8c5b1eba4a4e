"""A server that means harm costs a bounded time, memory and disk, and breaks nothing else."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridloom.buckets import BucketPlace
from gridloom.errors import BucketFailed, BucketUnavailable, GridloomError, LeaseLost, ObjectChanged
from gridloom.net_guard import PrivateHosts
from storage.buckets.access import Patience
from storage.buckets.bucket import Bucket
from storage.buckets.session import Session

Answer = Callable[[socket.socket, bytes], None]
IMPATIENT = Patience(connect_s=1, read_s=0.5, answer_s=0.3, attempts=2)
EMPTY_PAGE = "<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>"


class Hostile:
    """Listens, and gives every request to `answer`, which writes what it likes."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _client, _head: None
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (some := client.recv(4096)):
                head += some
            self.requests += 1
            self.answer(client, head)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def says(
        self, body: str | bytes, *headers: str, status: str = "200 OK", length: str | None = None
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        length = str(len(data)) if length is None else length
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", *headers, "", ""]
        self.answer = lambda client, _head: client.sendall("\r\n".join(lines).encode("latin-1") + data)

    def lists(self, inner: str) -> None:
        self.says(f"<ListBucketResult>{inner}</ListBucketResult>")


@pytest.fixture
def server() -> Iterator[Hostile]:
    with closing(Hostile()) as it:
        yield it


@pytest.fixture
def bucket(server: Hostile) -> Iterator[Bucket]:
    def lookup(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    place = BucketPlace(
        kind="aws", bucket="b-b", endpoint=f"http://s3.example:{server.port}", access_key="a", secret_key="b"
    )
    bucket = Bucket(place, PrivateHosts.parse("127.0.0.0/8"), patience=IMPATIENT)
    bucket._session = Session(replace(bucket._session.access, lookup=lookup))
    with closing(bucket):
        yield bucket


def entry(key: str = "k", size: str = "1", etag: str = "e") -> str:
    return f"<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag></Contents>"


@pytest.mark.parametrize(
    "inner",
    [
        entry(size="-1"),
        entry(size=str(10**30)),
        entry(size="9" * 5000),
        entry(size="many"),
        entry(key=""),
        entry(key="k" * 5000),
        entry(etag="e" * 10_000),
        "<Contents><Key>k</Key></Contents>",
        "<Contents><LastModified>soon</LastModified></Contents>",
        "<Contents>",
        entry() * 100_000,
    ],
)
def test_an_impossible_listing_is_refused(server: Hostile, bucket: Bucket, inner: str) -> None:
    server.lists(inner)
    with pytest.raises((BucketFailed, BucketUnavailable)):
        list(bucket.list())


def test_a_refusal_in_an_endless_maze_is_one_all_the_same(server: Hostile, bucket: Bucket) -> None:
    server.says(f"<Error>{'<a>' * 100_000}{'</a>' * 100_000}</Error>", status="400 Bad")
    with pytest.raises(BucketFailed):
        list(bucket.list())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_not_expanded(server: Hostile, bucket: Bucket, encoding: str) -> None:
    declared = '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    text = f"<?xml version='1.0' encoding='{encoding}'?>{declared}<ListBucketResult>{entry('&b;')}</ListBucketResult>"
    server.says(text.encode(encoding))
    with pytest.raises(BucketFailed, match="document type"):
        list(bucket.list())


@pytest.mark.parametrize("status", ["200 OK", "400 Bad"])
def test_an_endless_answer_is_cut_off(server: Hostile, bucket: Bucket, status: str) -> None:
    sent = 0

    def answer(client: socket.socket, _head: bytes) -> None:
        nonlocal sent
        client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
        while True:
            sent += client.send(b" " * 65536)

    server.answer = answer
    with pytest.raises(BucketFailed, match="larger than"):
        list(bucket.list())
    assert sent < 50 << 20


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"H"]
)
def test_a_dripping_answer_has_its_time(server: Hostile, bucket: Bucket, start: bytes) -> None:
    def answer(client: socket.socket, _head: bytes) -> None:
        client.sendall(start)
        while True:
            client.sendall(b"1")
            time.sleep(0.02)

    server.answer = answer
    began = time.monotonic()
    with pytest.raises(BucketUnavailable, match="drips"):
        list(bucket.list())
    if start.endswith(b"\r\n\r\n"):
        with pytest.raises(BucketUnavailable, match="drips"):
            bucket.read("k")
    assert time.monotonic() - began < 5
    assert server.requests <= 2


@pytest.mark.parametrize("ending", [b"", b"X: y\r\n" * 1000])
def test_a_promise_to_go_on_that_breaks_off_is_no_endless_loop(
    server: Hostile, bucket: Bucket, ending: bytes
) -> None:
    server.answer = lambda client, _head: client.sendall(b"HTTP/1.1 100 Continue\r\n" + ending)
    with pytest.raises(BucketUnavailable):
        bucket.put("k", b"data")


def test_pages_without_end_are_asked_for_no_longer_than_wanted(server: Hostile, bucket: Bucket) -> None:
    def answer(client: socket.socket, _head: bytes) -> None:
        server.lists(EMPTY_PAGE.format(server.requests))
        says, server.answer = server.answer, answer
        says(client, b"")

    def check() -> None:
        if server.requests == 5:
            raise LeaseLost("no longer wanted")

    server.answer = answer
    with pytest.raises(LeaseLost):
        list(bucket.list("", check=check))


def test_no_more_is_read_than_was_asked_for(server: Hostile, bucket: Bucket, tmp_path: Path) -> None:
    server.says(b"x" * (5 << 20), 'ETag: "e"')
    assert bucket.read("k", 0, 3) == b"xxx"
    with (tmp_path / "file").open("wb") as file:
        bucket.download("k", file.fileno(), 10, etag="e")
    assert (tmp_path / "file").stat().st_size == 10


@pytest.mark.parametrize("length", ["-5", "1" * 5000, "x"])
def test_an_impossible_length_is_refused(
    server: Hostile, bucket: Bucket, length: str, tmp_path: Path
) -> None:
    server.says(b"", length=length)
    with pytest.raises(GridloomError):
        bucket.look("k")
    with (tmp_path / "file").open("wb") as file, pytest.raises(GridloomError):
        bucket.download("k", file.fileno(), 10)


@pytest.mark.parametrize("etag", ['a"\r\nX-Injected: y', "é☃", "e" * 1000, "a\0b"])
def test_an_etag_of_a_listing_adds_no_header(
    server: Hostile, bucket: Bucket, etag: str, tmp_path: Path
) -> None:
    heads: list[bytes] = []
    server.answer = lambda _client, head: heads.append(head)
    with (
        (tmp_path / "file").open("wb") as file,
        pytest.raises((ObjectChanged, BucketFailed, BucketUnavailable)),
    ):
        bucket.download("k", file.fileno(), 1, etag=etag)
    assert not any(b"\r\nX-Injected" in head for head in heads)


def test_what_a_server_says_is_quoted_as_one_short_printable_line(server: Hostile, bucket: Bucket) -> None:
    text = "<Error><Code>{0}</Code><Message>{0}</Message><Region>{0}</Region></Error>"
    server.says(text.format("boo\u202e\u0085\r\n" * 1000), status="400 Bad")
    with pytest.raises(BucketFailed) as caught:
        list(bucket.list())
    assert len(caught.value.message) < 800
    assert caught.value.message.isprintable()


def test_a_server_sends_nobody_from_region_to_region_for_ever(server: Hostile, bucket: Bucket) -> None:
    def answer(client: socket.socket, _head: bytes) -> None:
        region = f"<Error><Code>PermanentRedirect</Code><Region>r-{server.requests}</Region></Error>"
        server.says(region, status="301 Moved")
        says, server.answer = server.answer, answer
        says(client, b"")

    server.answer = answer
    for _ in range(10):
        with pytest.raises(BucketFailed):
            list(bucket.list())
    assert len(bucket._session._left) <= 3
