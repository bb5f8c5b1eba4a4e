"""Looks at data sources, also at a real server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.unit.api.routes.test_jobs import error_of

LOCAL = {"allow_private_hosts": "127.0.0.1"}
PATH = "/v1/customer/datasource/test"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        moved = self.path == "/moved"
        wanted = self.path != "/locked" or "Authorization" in self.headers
        self.send_response(302 if moved else 200 if wanted else 401)
        if moved:
            self.send_header("Location", "/data/books.txt")
        self.send_header("Content-Length", "0" if moved else "123456789")
        self.send_header("Content-Type", "text/plain")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def url_source(url, **params):
    return {"dataSource": {"dataSourceDescriptor": "url", "params": {"url": url, "name": "", **params}}}


@pytest.mark.parametrize("settings", [LOCAL], indirect=True)
@pytest.mark.parametrize("path", ["datasource/test", "datasource/info", "jobs/datasource/info"])
def test_a_url_tells_its_name_and_size_without_being_fetched(ada, server, path):
    body = url_source(f"{server}/a%20b.txt?key=1") | {"listFiles": True}
    answer = ada.post(f"/v1/customer/{path}", json=body)
    assert answer.status_code == 200, answer.text
    seen = answer.json()
    assert (seen["filename"], seen["size"]) == ("a b.txt", "123456789")
    assert seen["properties"]["contentType"] == "text/plain"
    assert seen["tempUrl"] == f"{server}/a%20b.txt?key=1"
    assert [(it["name"], it["size"]) for it in seen["files"]["files"]] == [("a b.txt", "123456789")]


@pytest.mark.parametrize("settings", [LOCAL], indirect=True)
def test_redirects_and_passwords_are_followed_as_by_a_job(ada, server):
    moved = ada.post(PATH, json=url_source(f"{server}/moved")).json()
    assert (moved["tempUrl"], moved["files"]) == (f"{server}/data/books.txt", None)
    assert "HTTP 401" in error_of(ada.post(PATH, json=url_source(f"{server}/locked")))
    assert ada.post(PATH, json=url_source(f"{server}/locked", username="u", password="p")).status_code == 200
    gone = url_source("http://127.0.0.1:9/x")
    assert "can't be fetched" in error_of(ada.post(PATH, json=gone))


def test_private_addresses_are_not_looked_at(ada, server):
    for url in (f"{server}/x", server.replace("127.0.0.1", "localhost"), "http://169.254.169.254/latest"):
        assert ada.post(PATH, json=url_source(url)).status_code in (400, 403)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"dataSourceDescriptor": "bucket"}, "bucket can't be used"),
        ({"dataSourceDescriptor": ""}, "is unknown"),
        ({"dataSourceDescriptor": "url", "params": {}}, "params.url is missing"),
        ({"dataSourceDescriptor": "s3", "params": {"name": "f"}}, "bucketName is missing"),
        ({"dataSourceDescriptor": "url", "params": {"url": "ftp://x/y"}}, "params.url"),
    ],
)
def test_what_cannot_be_a_source_is_refused(ada, source, message):
    assert message in error_of(ada.post(PATH, json={"dataSource": source}))


def test_a_bypass_is_one_dummy_file_and_an_upload_has_none_yet(ada):
    seen = ada.post(PATH, json={"data_source": {"dataSourceDescriptor": "bypass"}, "list_files": True}).json()
    assert (seen["filename"], seen["size"], len(seen["files"]["files"])) == ("bypass.bin", "1", 1)
    source = {"dataSourceDescriptor": "file", "params": None}
    seen = ada.post(PATH, json={"dataSource": source, "listFiles": True}).json()
    assert (seen["filename"], seen["size"], seen["tempUrl"], seen["files"]["files"]) == ("", "0", "", [])
