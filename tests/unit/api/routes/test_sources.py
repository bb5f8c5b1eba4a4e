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


@pytest.fixture
def lake(bucket_server):
    """Return params of a bucket with files; their secret is still to be saved."""
    bucket = bucket_server.make_bucket()
    for key, data in {"in/a.txt": b"hello", "in/b/c d.txt": b"1"}.items():
        bucket_server.put(bucket, key, data)
    return {"bucketName": bucket, "endpoint": bucket_server.endpoint, "name": "in/", "secret_id": "lake"}


def save_keys(client, server):
    secret = {"id": "lake", "secretType": "s3", "accessKey": server.access_key}
    body = {"secret": secret, "secretKey": server.secret_key}
    assert client.post("/v1/auth/secrets", json=body).status_code == 200


@pytest.mark.parametrize("settings", [LOCAL], indirect=True)
def test_a_folder_of_a_bucket_is_told_with_its_tree_and_what_may_be_done(ada, bob, bucket_server, lake):
    save_keys(ada, bucket_server)
    source = {"dataSource": {"dataSourceDescriptor": "aws", "params": lake}}
    seen = ada.post(PATH, json=source | {"listFiles": True}).json()
    assert (seen["filename"], seen["size"], seen["count"], seen["totalSize"]) == ("in", "6", 2, "6")
    assert seen["permissions"] == {"list": True, "read": True, "write": None}
    assert (seen["reachable"], seen["problems"], seen["after"], seen["truncated"]) == (True, [], "", False)
    tree = seen["files"]
    assert (tree["path"], [it["name"] for it in tree["files"]]) == ("in/", ["a.txt"])
    [inner] = tree["directories"]
    assert (inner["name"], inner["path"]) == ("b", "in/b/")
    file = {"id": "in/b/c d.txt", "name": "c d.txt", "path": "in/b/c d.txt", "size": "1"}
    assert inner["files"] == [file]
    first = ada.post(PATH, json=source | {"limit": 1}).json()
    assert (first["files"], first["truncated"], first["after"]) == (None, True, "in/a.txt")
    level = ada.post(PATH, json=source | {"listFiles": True, "path": "/"}).json()["files"]
    assert [it["path"] for it in level["directories"]] == ["in/b/"]
    assert "there is no secret 'lake' of type aws" in error_of(bob.post(PATH, json=source))


@pytest.mark.parametrize("settings", [LOCAL], indirect=True)
def test_a_destination_is_tried_with_keys_written_inline(ada, bucket_server, lake):
    keys = {"accessKey": bucket_server.access_key, "secretKey": bucket_server.secret_key}
    params = lake | keys | {"secret_id": ""}
    seen = ada.post(PATH, json={"dataDestination": {"dataSourceDescriptor": "s3", "params": params}}).json()
    assert seen["permissions"] == {"list": True, "read": True, "write": True}
    assert bucket_server.keys(lake["bucketName"]) == ["in/a.txt", "in/b/c d.txt"]
    params = params | {"secretKey": ""}
    body = {"dataDestination": {"dataSourceDescriptor": "s3", "params": params}}
    assert "dataDestination.params.secretKey is missing" in error_of(ada.post(PATH, json=body))


def test_an_end_that_is_not_in_a_users_bucket_has_nothing_to_try(ada):
    seen = ada.post(PATH, json={"dataDestination": {"dataSourceDescriptor": "bucket"}}).json()
    assert seen["permissions"] == {"list": None, "read": None, "write": None}


def test_private_endpoints_and_requests_for_both_or_no_end_are_refused(ada, lake):
    end = {"dataSourceDescriptor": "s3", "params": lake}
    answer = ada.post(PATH, json={"dataSource": end})
    assert "dataSource.params.endpoint" in error_of(answer)
    assert "private network" in error_of(answer)
    for body in ({}, {"dataSource": end, "dataDestination": end}):
        assert "give a dataSource or a dataDestination" in error_of(ada.post(PATH, json=body))


@pytest.mark.parametrize("settings", [LOCAL], indirect=True)
def test_urls_in_a_list_are_looked_at_side_by_side(ada, server):
    source = {"dataSourceDescriptor": "url", "params": {"url": [f"{server}/a.txt", f"{server}/b.txt"]}}
    seen = ada.post(PATH, json={"dataSource": source, "listFiles": True}).json()
    assert [it["name"] for it in seen["files"]["files"]] == ["a.txt", "b.txt"]
    assert (seen["count"], seen["totalSize"], seen["tempUrl"]) == (2, "246913578", "")
    source["params"]["url"][1] = "http://127.0.0.1:9/x"
    assert "can't be fetched" in error_of(ada.post(PATH, json={"dataSource": source}))
