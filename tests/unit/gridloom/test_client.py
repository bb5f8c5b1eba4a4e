"""Tests of the HTTP client, its session and its transfers, over real HTTP."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stamina.instrumentation

from gridloom.client import Client, JobView
from gridloom.client_transfer import place
from gridloom.errors import ClientError, Unreachable
from gridloom.states import JobState

GRANT = (200, b'{"token": "first", "expiresIn": "3600"}')
JOB = (200, b'{"job": {"id": "j", "state": "JOB_STATE_NEW"}}')


@pytest.fixture(autouse=True)
def quiet_retries():
    before = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([])
    yield
    stamina.instrumentation.set_on_retry_hooks(before)


class Script(BaseHTTPRequestHandler):
    """Answers with what the server's `answers` hold, in order."""

    protocol_version = "HTTP/1.1"

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, self.headers, body))
        status, answer = self.server.answers.pop(0)
        declared = len(answer) + (1000 if status == -200 else 0)
        self.send_response(abs(status))
        self.send_header("Content-Length", str(declared))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = status == -200

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = serve  # noqa: N815

    def log_message(self, *_):
        pass


@contextmanager
def serving(*answers, port=0):
    with ThreadingHTTPServer(("127.0.0.1", port), Script) as server:
        server.answers, server.seen = list(answers), []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_the_key_is_exchanged_once_and_the_token_sent():
    with serving(GRANT, JOB, JOB) as server, Client(server.url + "/", " key\n") as client:
        assert client.job("j")["state"] == "JOB_STATE_NEW"
        client.job("j")
        assert server.seen[0][3] == b'{"apiKey":"key"}'
        assert [it[2]["Authorization"] for it in server.seen] == [None, "first", "first"]


def test_a_token_that_is_no_longer_taken_is_renewed():
    again = (200, b'{"token": "second", "expiresIn": "3600"}')
    with serving(GRANT, JOB, (401, b"{}"), again, JOB) as server, Client(server.url, "key") as client:
        client.job("j")
        client.job("j")
        assert server.seen[-1][2]["Authorization"] == "second"


def test_a_fresh_token_that_is_refused_is_an_error():
    with serving(GRANT, (401, b'{"message": "no"}')) as server, Client(server.url, "key") as client:
        with pytest.raises(ClientError, match=r"^no$"):
            client.job("j")
        assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        (b'{"message": "a\\nb", "code": 3}', "a b", ""),
        (b'{"message": "", "error": {"message": "Bad", "description": "worse"}}', "worse", ""),
        (b'{"message": "m", "details": [{"fieldViolations": [{"field": "/a/b"}]}]}', "m", "/a/b"),
        (b'{"error": "text"}', "answers 400", ""),
        (b"<html>", "answers 400", ""),
        (b"[]", "answers 400", ""),
    ],
)
def test_a_refusal_is_read_from_the_common_error_body(body, message, field):
    with serving(GRANT, (400, body)) as server, Client(server.url, "key") as client:
        with pytest.raises(ClientError, match=message) as refused:
            client.job("j")
        assert (refused.value.status, refused.value.field) == (400, field)


@pytest.mark.parametrize("body", [b"hello", b"[1]"])
def test_another_kind_of_server_is_told_apart(body):
    with (
        serving((200, body)) as server,
        Client(server.url, "key") as client,
        pytest.raises(ClientError, match="like Gridloom"),
    ):
        client.job("j")


@pytest.mark.parametrize("url", ["", "ftp://x", "127.0.0.1:8080", "http://", "http://[", "http://x:99999"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ClientError, match="is not a URL"):
        Client(url, "key")


def test_reads_wait_for_a_fabric_that_comes_back():
    with serving(GRANT, JOB) as server:
        client = Client(server.url, "key", patience_s=10)
        client.job("j")
        port = server.server_port
    got = []
    thread = threading.Thread(target=lambda: got.append(client.job("j")))
    thread.start()
    time.sleep(0.05)
    with serving((503, b"{}"), JOB, port=port), client:
        thread.join()
    assert got[0]["id"] == "j"


def test_writes_and_first_calls_do_not_wait():
    with serving(GRANT, JOB) as server:
        client = Client(server.url, "key", patience_s=60)
        client.job("j")
    with client, pytest.raises(Unreachable, match="cannot reach"):
        client.run_job("j")
    with Client("http://127.0.0.1:9", "key", patience_s=60) as stranger, pytest.raises(Unreachable):
        stranger.job("j")


def test_results_are_read_to_the_last_page():
    pages = [
        (200, b'{"results": [{"name": "a"}], "pagination": {"hasNext": true}}'),
        (200, b'{"results": [{"name": "b"}], "pagination": {"hasNext": false}}'),
    ]
    with serving(GRANT, *pages) as server, Client(server.url, "key") as client:
        assert [it["name"] for it in client.results("j")] == ["a", "b"]
        assert "pagination.offset=1" in server.seen[-1][1]


def test_a_file_goes_up_in_four_steps(tmp_path):
    file = tmp_path / 'ä "x".txt'
    file.write_bytes(b"x" * 300_000)
    moved = []
    with serving(GRANT) as server, Client(server.url, "key") as client:
        link = f'{{"job": {{"dataSource": {{"params": {{"tempUrl": "{server.url}/up?s=1"}}}}}}}}'
        server.answers += [(200, link.encode()), (200, b""), (200, b"{}")]
        client.upload_source("j", file, moved.append)
        method, path, headers, body = server.seen[2]
        assert (method, path, len(body)) == ("PUT", "/up?s=1", 300_000)
        assert headers["Authorization"] is None
        assert headers["Content-Disposition"] == (
            "attachment; filename=\"? _x_.txt\"; filename*=UTF-8''%C3%A4%20%22x%22.txt"
        )
        assert server.seen[3][1] == "/v1/customer/jobs/j/uploadcompleted"
        assert sum(moved) == 300_000


def test_a_refused_upload_is_an_error(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"x")
    with serving(GRANT) as server, Client(server.url, "key") as client:
        link = f'{{"job": {{"dataSource": {{"params": {{"tempUrl": "{server.url}/up"}}}}}}}}'
        server.answers += [(200, link.encode()), (413, b'{"message": "too large"}')]
        with pytest.raises(ClientError, match="too large"):
            client.upload_source("j", file, lambda _: None)


def test_a_file_comes_down_under_its_name(tmp_path):
    with serving((200, b"data")) as server, Client(server.url, "key") as client:
        result = {"name": "out_0/a.txt", "link": f"{server.url}/d"}
        path = client.download_result(result, tmp_path, lambda _: None)
        assert path == tmp_path / "out_0/a.txt"
        assert path.read_bytes() == b"data"
        assert server.seen[0][2]["Authorization"] is None


def test_a_cut_download_leaves_nothing(tmp_path):
    with serving((-200, b"half")) as server, Client(server.url, "key") as client:
        with pytest.raises(Unreachable):
            client.download_result({"name": "a", "link": f"{server.url}/d"}, tmp_path, lambda _: None)
        assert list(tmp_path.iterdir()) == []


def test_an_expired_link_is_an_error(tmp_path):
    with (
        serving((403, b'{"message": "the link has expired"}')) as server,
        Client(server.url, "key") as client,
    ):
        with pytest.raises(ClientError, match="the link has expired"):
            client.download_result({"name": "a", "link": f"{server.url}/d"}, tmp_path, lambda _: None)
        with pytest.raises(ClientError, match="no URL"):
            client.download_result({"name": "a", "link": "file:///etc/passwd"}, tmp_path, lambda _: None)


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "a//b", "./a", "a/", "a\0b", "link/x"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(ClientError, match="does not belong below"):
        place(folder, name)


def test_a_link_in_the_place_of_a_result_is_replaced(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.write_bytes(b"kept")
    folder.mkdir()
    (folder / "a").symlink_to(outside)
    with serving((200, b"new")) as server, Client(server.url, "key") as client:
        client.download_result({"name": "a", "link": f"{server.url}/d"}, folder, lambda _: None)
    assert outside.read_bytes() == b"kept"
    assert (folder / "a").read_bytes() == b"new"


def test_a_view_takes_what_the_fabric_says_of_a_job():
    view = JobView.model_validate(
        {
            "id": "j",
            "state": "JOB_STATE_COMPLETE",
            "numChunks": 3,
            "progress": {"completed": 3, "total": 3, "ratePerSecond": 1.5},
            "stateTimestamps": {"JOB_STATE_NEW": "2026-01-01T00:00:00Z"},
            "duration": 2.5,
        }
    )
    assert view.state is JobState.COMPLETE
    assert view.is_final
    assert view.progress.total == 3
