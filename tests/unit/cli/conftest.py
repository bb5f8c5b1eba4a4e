"""A small control plane that speaks the published shapes over real HTTP, for the command line's tests."""

import io
import json
import re
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote

import pytest

from cli.main import run

JOB_ID = "3b6f1d52-74c6-4f3e-9a35-0d5c6d6f6a10"
KEY = "glk_key-of-the-tests"
STATES = ("STARTED", "PARTITIONING", "PARTITIONED", "MERGING", "COMPLETE")


class FakeFabric:
    """Records every call; a job moves on by one state each time it is read."""

    def __init__(self):
        self.calls = []
        self.job = {}
        self.template = {}
        self.states = list(STATES)
        self.outputs = {"result.txt": b"HELLO\n"}
        self.error_message = ""
        self.uploaded = None
        self.log_pages = []
        self.log_events = []
        self.seen_end = {}
        self.phases = None
        self.answers = {}  # to whatever a test wants answered otherwise, by method and path
        self.queries = []
        self.streams = {}
        handler = type("Handler", (_Handler,), {"fabric": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def bodies(self, method, path):
        return [body for at, to, body in self.calls if (at, to) == (method, path)]

    def answer(self, method, path, body):
        """Return status and JSON answer of an API call."""
        self.calls.append((method, path, body))
        if (method, path) in self.answers:
            found = self.answers[method, path]
            found = found.pop(0) if isinstance(found, list) else found
            return found if isinstance(found, tuple) else (200, found)
        for (verb, pattern), action in _ROUTES.items():
            if verb == method and (found := re.fullmatch(pattern, path)):
                return action(self, body, *found.groups())
        return 404, {"ok": False, "message": f"there is no {method} {path}"}

    def grant(self, body):
        if body["apiKey"] != KEY:
            return 401, {"ok": False, "message": "unknown API key"}
        return 200, {"token": "token", "expiresIn": "3600", "scope": ""}

    def push(self, body, kind):
        b64decode(body["data"], validate=True)
        record = {"id": "1", "name": "shout", "version": "0.1", "status": "inactive"}
        return 200, {"app": record} if kind == "app" else record

    def listed(self, body, kind):
        row = {
            "name": "shout",
            "version": "0.1",
            "status": "active",
            "type": "assembler",
            "description": "loud",
        }
        return 200, {f"{kind}s": [row], "pagination": {"total": 1, "offset": 0, "hasNext": False}}

    def create(self, body):
        if body.get("templateId") == "missing":
            return 404, {"ok": False, "message": "there is no template missing"}
        if body.get("params", {}).get("app") == {"case": 1}:
            violation = {"fieldViolations": [{"field": "/params/app/case", "description": "1 is not a text"}]}
            return 400, {"ok": False, "message": "1 is not a text", "details": [violation]}
        blank = {"id": JOB_ID, "name": "J", "state": "JOB_STATE_NEW", "params": {"app": {"a": 1}}}
        self.job = blank | self.template | body
        return self.wrapped()

    def wrapped(self):
        return 200, {"job": self.job, "templateInfo": {}}

    def read(self, body, job_id):
        if job_id != JOB_ID or not self.job:
            return 404, {"ok": False, "message": f"there is no job {job_id}"}
        if self.job["state"] != "JOB_STATE_NEW" and self.states:
            self.job["state"] = f"JOB_STATE_{self.states.pop(0)}"
            self.job["errorMessage"] = self.error_message
            self.job["numChunks"] = 4
            self.job["progress"] = {"completed": 4 - len(self.states) % 4, "total": 4}
            self.job["phases"] = self.phases
        return self.wrapped()

    def change(self, body, job_id, part):
        self.job |= body
        if (body.get("dataSource") or {}).get("dataSourceDescriptor") == "file":
            self.job["dataSource"]["params"]["tempUrl"] = f"{self.url}/upload"
        return self.wrapped()

    def run(self, body, job_id):
        self.job["state"] = "JOB_STATE_STARTED"
        return 200, {"ok": True}

    def look(self, body):
        return 200, self.seen_end

    def results(self, body, job_id):
        results = [
            {"name": name, "url": f"{self.url}/outputs/{number}", "size": str(len(data))}
            for number, (name, data) in enumerate(self.outputs.items())
        ]
        return 200, {"results": results, "pagination": {"hasNext": False}}

    def tasks(self, body, job_id):
        phases = [{"name": "queued", "seconds": 0.5}, {"name": "ran", "seconds": 2}]
        task = {"chunkNumber": 0, "state": "Completed", "retries": 0, "claim": "warm", "phases": phases}
        return 200, {"data": [task], "pagination": {"total": 7, "hasNext": True}}

    def logs(self, body):
        return 200, self.log_pages.pop(0) if self.log_pages else {"nextId": body["afterId"]}

    def fine(self, body, *_):
        return 200, {"ok": True, "message": "active"}


_ROUTES = {
    ("POST", "/v1/auth/access_token"): FakeFabric.grant,
    ("POST", "/v1/dev/(app|engine)s"): FakeFabric.push,
    ("GET", "/v1/dev/(app|engine|template)s"): FakeFabric.listed,
    ("POST", "/v1/dev/(?:app|engine)s/(.*)/(?:activate|deactivate)"): FakeFabric.fine,
    ("GET", "/v1/dev/(?:app|engine)s/(.*)/status"): FakeFabric.fine,
    ("POST", "/v1/dev/templates"): FakeFabric.fine,
    ("POST", "/v1/customer/jobs"): FakeFabric.create,
    ("GET", "/v1/customer/jobs/([^/]+)"): FakeFabric.read,
    ("DELETE", "/v1/customer/jobs/([^/]+)"): FakeFabric.fine,
    ("PATCH", "/v1/customer/jobs/([^/]+)/(.+)"): FakeFabric.change,
    ("POST", "/v1/customer/jobs/([^/]+)/run"): FakeFabric.run,
    ("POST", "/v1/customer/jobs/([^/]+)/abort"): FakeFabric.fine,
    ("POST", "/v1/customer/jobs/([^/]+)/redeliver"): FakeFabric.run,
    ("POST", "/v1/customer/datasource/test"): FakeFabric.look,
    ("GET", "/v1/customer/jobs/([^/]+)/results"): FakeFabric.results,
    ("GET", "/v1/customer/jobs/([^/]+)/tasks"): FakeFabric.tasks,
    ("POST", "/v1/customer/logs"): FakeFabric.logs,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        path = unquote(path)
        self.fabric.queries.append(query)
        if path.startswith("/outputs/"):
            self._reply(200, list(self.fabric.outputs.values())[int(path.rpartition("/")[2])])
        elif path.endswith("/logs/stream"):
            self._reply(200, b"".join(self.fabric.log_events))
        elif path in self.fabric.streams:
            self._reply(200, self.fabric.streams[path])
        elif path.endswith("/logs/download"):
            self._reply(200, b"a line\n")
        elif path == "/upload":
            self.fabric.uploaded = (self.headers["Content-Disposition"], self.headers["Authorization"], body)
            self._reply(200, b"")
        else:
            is_form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            given = dict(parse_qsl(body.decode())) if is_form else json.loads(body or b"null")
            status, answer = self.fabric.answer(self.command, path, given)
            self._reply(status, json.dumps(answer).encode())

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

    def _reply(self, status, data):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def fabric(monkeypatch):
    """A fabric that commands find by the environment."""
    fake = FakeFabric()
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("GRIDLOOM_URL", fake.url)
    monkeypatch.setenv("GRIDLOOM_API_KEY", KEY)
    yield fake
    fake.server.shutdown()
    thread.join()
    fake.server.server_close()


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Keep the user's own folders out of the tests, and what they write out of the repository."""
    monkeypatch.chdir(tmp_path)
    for name in ("GRIDLOOM_URL", "GRIDLOOM_API_KEY", "GRIDLOOM_DATA_DIR", "GRIDLOOM_PROFILE", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home/data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/config"))


@pytest.fixture
def gridloom(capsys, monkeypatch):
    """Run the command line; gives exit code, standard output and standard error."""

    def call(*arguments, stdin="", at_terminal=False):
        given = io.StringIO(stdin)
        given.isatty = lambda: at_terminal
        monkeypatch.setattr("sys.stdin", given)
        code = run([str(it) for it in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call
