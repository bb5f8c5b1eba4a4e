"""A real `gridloom up` on a temporary folder, for as long as a benchmark lasts, and the jobs it runs."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from cli.supervisor import bound_to_parent
from gridloom.archives import pack_component
from gridloom.client import Client, Kind
from worker.runners.interpreters import base_python

Json = dict[str, Any]

_STOP_WITHIN_S = 15.0
_POLL_S = 0.1
BUCKET: Json = {"dataSourceDescriptor": "bucket", "params": {}}
BYPASS: Json = {"dataSourceDescriptor": "bypass", "params": {}}


class Fabric:
    """A running fabric: its folder, its processes and a client of it."""

    def __init__(self, folder: Path, client: Client, api_key: str, supervisor: psutil.Process) -> None:
        self.folder = folder
        self.client = client
        self.api_key = api_key
        self._supervisor = supervisor

    @contextmanager
    def http(self) -> Iterator[httpx.Client]:
        """Open a client of the account that adds nothing to a call."""
        with httpx.Client(base_url=self.client.url, trust_env=False, verify=False) as http:
            grant = http.post("/v1/auth/access_token", json={"apiKey": self.api_key}).json()
            http.headers["Authorization"] = grant["token"]
            yield http

    def processes(self) -> dict[str, psutil.Process]:
        """Return the fabric's processes by name; a worker's agents get a number each."""
        found = {"up": self._supervisor}
        for child in self._supervisor.children():
            found[_name(child)] = child
        if "worker" in found:
            for number, agent in enumerate(found["worker"].children(recursive=True)):
                found[f"agent {number}"] = agent
        return found

    def push(self, kind: Kind, name: str, manifest: Json, script: str = "") -> None:
        """Upload and activate a component of one script."""
        whole = {
            "name": name,
            "version": "1.0",
            "type": "app",
            "platform": "docker",
            "platform_config": {"container": "python:3.11-alpine"},
            "entrypoint": "main.py",
            "device_requirements": {"min_cpu": 1, "min_memory": 0.5},
        } | manifest
        files = {"manifest.json": json.dumps(whole).encode(), "app/main.py": script.encode()}
        self.client.push_component(kind, pack_component(files))
        self.client.activate(kind, name)

    def draft(self, body: Json, source: Path | None = None) -> str:
        """Create a job that is ready to run, its source uploaded; return its id."""
        job_id = self.client.create_job(body).id
        if source is not None:
            self.client.upload_source(job_id, source)
        return job_id

    def run(self, job_id: str, poll_s: float = _POLL_S) -> float:
        """Run a job to its end; return the seconds from the call to the first sight of Complete.

        A look costs the fabric a few ms of processor time, so short jobs alone are looked at often.
        """
        started = time.perf_counter()
        self.client.run_job(job_id)
        while not (job := self.client.job(job_id)).is_final:
            time.sleep(poll_s)
        took_s = time.perf_counter() - started
        if job.failure:
            raise RuntimeError(job.failure)
        return took_s


@contextmanager
def fabric(*, runner: str, slots: int = 2) -> Iterator[Fabric]:
    """Start a fabric and stop it at the end; its log is printed when the benchmark fails."""
    with tempfile.TemporaryDirectory(prefix="gridloom-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command = [sys.executable, "-P", "-m", "cli.main", "up", "--data-dir", str(folder / "fabric")]
        command += ["--port", "0", "--slots", str(slots), "--runner", runner, "--no-remember", "--json"]
        with (
            (folder / "up.log").open("wb") as log,
            subprocess.Popen(
                command,
                env=_plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=bound_to_parent(signal.SIGTERM),  # noqa: PLW1509 - this process has one thread
            ) as process,
        ):
            try:
                assert process.stdout is not None
                ready = json.loads(process.stdout.readline())
                api_key = json.loads(Path(ready["credentials"]).read_text())["apiKey"]
                with Client(ready["url"], api_key) as client:
                    yield Fabric(folder / "fabric", client, api_key, psutil.Process(process.pid))
            except BaseException:
                sys.stderr.write((folder / "up.log").read_text(errors="replace"))
                raise
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()


def script_python() -> str:
    """Return the interpreter of scripts on both sides: the one GRIDLOOM_PYTHON names, else the runners' own choice."""
    return os.environ.get("GRIDLOOM_PYTHON") or base_python()


def _plain_environment() -> Mapping[str, str]:
    """Return the environment without the settings of another fabric."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLOOM_")}
    return others | {"GRIDLOOM_PYTHON": script_python()}


def _name(process: psutil.Process) -> str:
    command = process.cmdline()
    return command[command.index("-m") + 1] if "-m" in command else process.name().split("-")[0]
