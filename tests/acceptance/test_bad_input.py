"""Requests, archives and sources that are wrong: each is refused with what is wrong, and the fabric goes on."""

import gzip
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from gridloom.archives import pack_component
from gridloom.errors import ClientError
from gridloom.states import JobState
from tests.fixtures.live_fabric import LiveFabric, component

FABRIC_ENV = {"GRIDLOOM_ALLOW_PRIVATE_HOSTS": "127.0.0.1", "GRIDLOOM_MAX_UPLOAD_MIB": "1"}
COPY = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/copy.txt"'


class Site(BaseHTTPRequestHandler):
    """A web site with a small file, one beyond the limit, and one that leads to where nobody may go."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/secrets")
            self.end_headers()
            return
        body = {"/small": b"warp", "/large": bytes(3 * 1024 * 1024)}.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        try:
            self.wfile.write(body or b"")
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def copier(fabric) -> str:
    return fabric.push(component("copier", COPY))


@pytest.fixture
def http(fabric) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fabric.url) as client:
        token = client.post("/v1/auth/access_token", json={"apiKey": fabric.api_key}).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def source(url: str) -> dict:
    return {"dataSource": {"dataSourceDescriptor": "url", "params": {"url": url}}}


def refused(fabric: LiveFabric, body: dict, status: int) -> str:
    with pytest.raises(ClientError) as refusal:
        fabric.run(body)
    assert refusal.value.status == status
    return f"{refusal.value.field}: {refusal.value.message}"


def test_broken_json_is_refused_in_the_common_shape(http):
    answer = http.post("/v1/customer/jobs", content=b'{"templateId": ')
    assert answer.status_code == 400
    assert answer.json()["ok"] is False
    assert answer.json()["message"]


def test_a_wrong_key_and_a_wrong_token_are_refused(fabric):
    assert httpx.post(f"{fabric.url}/v1/auth/access_token", json={"apiKey": "glk_no"}).status_code == 401
    for header in ({}, {"Authorization": "no"}, {"Authorization": f"Bearer {fabric.api_key}"}):
        assert httpx.get(f"{fabric.url}/v1/customer/jobs", headers=header).status_code == 401
    assert httpx.post(f"{fabric.url}/internal/v1/claim", json={}).status_code in (401, 403)


def test_unknown_and_inactive_blocks_are_named(fabric):
    assert "no-such" in refused(fabric, {"templateId": "no-such"}, 404)
    assert "no-such" in refused(fabric, {"app": "no-such@1.2"}, 404)
    fabric.push(component("sleepy", COPY))
    fabric.client.deactivate("app", "sleepy@0.1")
    assert "sleepy" in refused(fabric, {"app": "sleepy"}, 400)


def tar(*members: tuple[str, bytes, bytes]) -> bytes:
    """Return a tar of members given by name, type and content; of a link the content is where it leads."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.REGTYPE:
                member.size = len(content)
            else:
                member.linkname = content.decode()
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


FILE, LINK, FIFO = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE
MANIFEST = ("manifest.json", FILE, b'{"name": "x", "version": "0.1"}')
MAIN = ("app/main.py", FILE, b"")


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"not a tar", "tar"),
        (tar(MAIN), "manifest.json"),
        (tar(MANIFEST), "app/main.py"),
        (tar(("manifest.json", FILE, b'{"name": "x", "version": "one"}'), MAIN), "version"),
        (tar(MANIFEST, MAIN, ("../evil", FILE, b"")), ".."),
        (tar(MANIFEST, MAIN, ("/etc/evil", FILE, b"")), "/etc/evil"),
        (tar(MANIFEST, MAIN, ("app/link", LINK, b"/etc/passwd")), "link"),
        (tar(MANIFEST, MAIN, ("app/pipe", FIFO, b"")), "app/pipe"),
        (gzip.compress(tar(MANIFEST, MAIN, ("app/bomb", FILE, bytes(300 << 20))), 1), "more than"),
    ],
    ids=["text", "no-manifest", "no-script", "version", "above", "absolute", "link", "fifo", "bomb"],
)
def test_bad_archives_are_refused(fabric, archive, reason):
    with pytest.raises(ClientError) as refusal:
        fabric.client.push_component("app", archive)
    assert refusal.value.status == 400
    assert reason in refusal.value.message


def test_parameters_against_the_schema_are_refused_with_their_place(fabric):
    manifest = {"name": "strict", "version": "0.1", "entrypoint": "main.sh"}
    schema = {"properties": {"case": {"enum": ["upper", "lower"]}}, "required": ["case"]}
    files = {"manifest.json": json.dumps(manifest), "schema.json": json.dumps(schema), "app/main.sh": COPY}
    app = fabric.push(pack_component({name: text.encode() for name, text in files.items()}))
    assert "case" in refused(fabric, {"app": app, "params": {"app": {"case": 7}}}, 400)
    assert "case" in refused(fabric, {"app": app, "params": {"app": {}}}, 400)
    fabric.finished(fabric.run({"app": app, "params": {"app": {"case": "upper"}}}))


@pytest.mark.parametrize("partitioner", ["passthrough", "fanout-replica"])
def test_a_source_that_cannot_be_had_fails_its_job_at_once(fabric, site, copier, partitioner):
    body = {"app": copier, "partitioner": partitioner, "params": {"partitioner": {"num_replicas": 1}}}
    for path, reason in (("missing", "404"), ("large", "1048576 bytes"), ("away", "169.254.169.254")):
        job = fabric.ended(fabric.run(body | source(f"{site}/{path}")))
        assert job["state"] == JobState.FAILED
        assert reason in job["errorMessage"]
    good = fabric.run({"app": copier} | source(f"{site}/small"))
    fabric.finished(good)
    assert fabric.results(good) == {"copy.txt": b"warp"}


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/x", "http://[::1]/x", "file:///etc/passwd", "http://2130706434/"]
)
def test_a_private_source_is_refused(fabric, copier, url):
    refused(fabric, {"app": copier} | source(url), 400)


def test_a_draft_runs_once_however_many_ask(fabric, copier, http):
    body = {"app": copier, "partitioner": "passthrough", "assembler": "passthrough"}
    ends = {
        "dataSource": {"dataSourceDescriptor": "bypass"},
        "dataDestination": {"dataSourceDescriptor": "bucket"},
    }
    job_id = fabric.client.create_job(body | ends).id
    with ThreadPoolExecutor(8) as threads:
        codes = list(
            threads.map(lambda _: http.post(f"/v1/customer/jobs/{job_id}/run").status_code, range(8))
        )
    assert sorted(codes) == [200] + [400] * 7
    fabric.finished(job_id)
    assert len(fabric.tasks(job_id)) == 1


def test_a_job_that_waits_for_its_upload_does_not_run(fabric, copier):
    body = {"app": copier, "dataSource": {"dataSourceDescriptor": "file"}}
    assert "upload" in refused(fabric, body, 400)


def test_a_script_that_fills_the_memory_is_ended_with_that_reason(fabric):
    script = "x = []\nwhile True:\n    x.append(bytearray(64 << 20))\n"
    app = fabric.push(component("hog", script, entrypoint="main.py"))
    job = fabric.ended(fabric.run({"app": app}))
    assert job["state"] == JobState.FAILED
    assert "memory" in job["errorMessage"].lower()
