"""The worker as a process: real Celery, a real broker, a control plane in memory behind real HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import psutil
import pytest

from broker.hints import HintQueues
from gridloom.archives import pack_component
from gridloom.devices import Needs, device_class
from gridloom.states import Stage
from gridloom.wire import ComponentRef, Hint, Work
from storage.folder import FolderStore
from tests.fixtures.children import child
from tests.fixtures.control_plane import JOB

ROOT = Path(__file__).parents[3]
NEEDS = Needs(cores=1, memory_mib=256)
SLEEPER = b"import os, pathlib, time\npathlib.Path(os.environ['TASK_RESULTS_DIR'], 'pid').write_text(str(os.getpid()))\ntime.sleep(600)\n"


@pytest.fixture
def url(control_plane):
    """Serve the control plane over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = control_plane.handle(
                httpx.Request(self.command, f"http://x{self.path}", headers=dict(self.headers), content=body)
            )
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def environment(url, valkey, tmp_path):
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "GRIDLOOM_CONTROL_URL": url,
        "GRIDLOOM_BROKER_URL": valkey,
        "GRIDLOOM_STORE_URL": f"file:{tmp_path / 'store'}",
        "GRIDLOOM_SCRATCH_DIR": str(tmp_path / "scratch"),
        "GRIDLOOM_JOIN_TOKEN": "join",
        "GRIDLOOM_SLOTS": "2",
        "GRIDLOOM_RUNNER": "mock",
        "GRIDLOOM_DRAIN_S": "0.3",
    }


@contextmanager
def worker(environment, tmp_path, **more):
    log = tmp_path / "worker.log"
    argv = ["env", "-i", *(f"{name}={text}" for name, text in (environment | more).items())]
    with child(
        [*argv, sys.executable, "-P", "-m", "worker"],
        ready=lambda: "event=worker_ready" in log.read_text(),
        log=log,
    ) as process:
        process.log = log
        yield process


@pytest.fixture
def send(valkey, control_plane, tmp_path):
    queues = HintQueues(valkey)

    def send(*chunks, mock=None, script=b""):
        store = FolderStore(tmp_path / "store", durable=False)
        store.put_bytes("components/c", pack_component({"manifest.json": b"{}", "app/main.py": script}))
        component = ComponentRef(
            id="c",
            owner_id="o",
            name="c",
            version="1.0",
            revision=1,
            entrypoint="main.py",
            image="",
            archive_key="components/c",
            digest="",
        )
        env = {"APP_PARAMS": json.dumps({"mock": mock or {}})}
        control_plane.work = Work(owner_id="o", component=component, env=env, needs=NEEDS)
        for chunk in chunks:
            control_plane.add(Stage.APP, chunk, data=b"")
        hint = Hint(job_id=JOB, stage=Stage.APP, chunks=chunks, needs=NEEDS)
        assert queues.send([(device_class(NEEDS).queue, hint)]) == 1

    yield send
    queues.close()


def eventually(condition, within_s=15.0):
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_worker_runs_hints_hands_back_what_it_can_not_finish_and_stops(
    environment, tmp_path, control_plane, send
):
    with worker(environment, tmp_path) as process:
        send(0, 1, 2)
        eventually(lambda: all(control_plane.tasks[Stage.APP, it].result for it in range(3)))
        second = subprocess.run(
            [sys.executable, "-P", "-m", "worker"],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert second.returncode == 1
        assert "another worker uses the scratch folder" in second.stderr
        assert psutil.Process(process.pid).memory_info().rss < 85 * 1024 * 1024

        send(3, 4, mock={"run_for_s": 600})
        eventually(lambda: list((tmp_path / "scratch/runs").glob(f"*/{JOB}-app-3-1")))
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - started < 5
        assert sorted(hold.chunk for hold in control_plane.released) == [3, 4]
        assert list((tmp_path / "scratch/runs").iterdir()) == []


def test_a_cancelled_task_is_killed_and_a_killed_worker_leaves_no_process(
    environment, tmp_path, control_plane, send
):
    def pid_of(chunk):
        found = list((tmp_path / "scratch/runs").glob(f"*/{JOB}-app-{chunk}-1/results/pid"))
        return int(found[0].read_text()) if found and found[0].read_text() else None

    control_plane.lease_s = 4.0
    with worker(environment, tmp_path, GRIDLOOM_RUNNER="process") as process:
        send(0, script=SLEEPER)
        first = eventually(lambda: pid_of(0))
        control_plane.lose(Stage.APP, 0)
        eventually(lambda: not psutil.pid_exists(first))
        assert control_plane.tasks[Stage.APP, 0].result is None

        send(1, script=SLEEPER)
        second = eventually(lambda: pid_of(1))
        process.kill()
        eventually(lambda: not psutil.pid_exists(second))
