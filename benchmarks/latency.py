"""How long a one-task job takes on an idle fabric, beside a bare spawn of its script."""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.fabric import BUCKET, fabric, script_python
from benchmarks.figures import Figure

TITLE = "A one-task job on an idle fabric, run to Complete"
_ROUNDS = 20
_POLL_S = 0.01
_PAUSE_S = 0.3  #: lets the fabric become idle again
_SCRIPT = """
import os

with open(os.environ["TASK_DIR"] + "/data.bin", "rb") as chunk:
    data = chunk.read()
with open(os.environ["TASK_RESULTS_DIR"] + "/copy.bin", "wb") as result:
    result.write(data)
"""
_DRAFT = {"app": "copy", "partitioner": "passthrough", "assembler": "passthrough", "dataDestination": BUCKET}


def measure(*, quick: bool) -> list[Figure]:
    """Measure, spawn and job in turns."""
    rounds = 5 if quick else _ROUNDS
    with tempfile.TemporaryDirectory(prefix="gridloom-bench-") as name, fabric(runner="process") as loom:
        folder = Path(name)
        (folder / "data.bin").write_bytes(b"a small chunk")
        (folder / "main.py").write_text(_SCRIPT)
        loom.push("app", "copy", {}, _SCRIPT)
        jobs, spawns = [], []
        for turn in range(rounds + 1):
            spawn_ms = _spawn_s(folder) * 1e3
            job_id = loom.draft(_DRAFT, folder / "data.bin")
            time.sleep(_PAUSE_S)
            job_ms = loom.run(job_id, _POLL_S) * 1e3
            if turn:  # the first one warms both up
                jobs.append(job_ms)
                spawns.append(spawn_ms)
    floor, floor_name = statistics.median(spawns), "bare spawn"
    late = statistics.quantiles(jobs, n=20, method="inclusive")[-1]
    note = f"of {rounds}, polled each 10 ms; {script_python()}"
    median = statistics.median(jobs)
    return [
        Figure(
            name="median", value=median, unit="ms", floor=floor, floor_name=floor_name, goal=250, note=note
        ),
        Figure(name="95th percentile", value=late, unit="ms", floor=floor, floor_name=floor_name),
    ]


def _spawn_s(folder: Path) -> float:
    env = {"PATH": os.environ["PATH"], "TASK_DIR": str(folder), "TASK_RESULTS_DIR": str(folder)}
    started = time.perf_counter()
    subprocess.run([script_python(), str(folder / "main.py")], env=env, check=True)
    return time.perf_counter() - started
