"""How soon a thousand listeners of one control plane hear of what a running job's tasks do."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fabric import fabric
from benchmarks.figures import Figure
from benchmarks.memory import Peaks, cpu_s, rss_mb
from benchmarks.thousand import Words

TITLE = "Events of a running job, from the commit to a listener"
_LISTENERS, _TASKS = 1_000, 500
_GOAL_MS = 300
_SETTLE_S = 2.0


def measure(*, quick: bool) -> list[Figure]:
    """Run a job without listeners and one with; listeners live in a process of their own."""
    listeners, tasks = (50, 100) if quick else (_LISTENERS, _TASKS)
    with tempfile.TemporaryDirectory(prefix="gridloom-bench-") as name, fabric(runner="process") as loom:
        job = Words(loom, Path(name), tasks)
        job.run()
        alone = job.run()
        control = loom.processes()["api"]
        before_mb = rss_mb(control)
        with loom.http() as http:
            ears = _ears(http.base_url.host, http.base_url.port, http.headers["Authorization"], listeners)
        with ears, Peaks({"api": control}) as peaks:
            before_s = cpu_s({"api": control})
            watched = job.run()
            busy_s = cpu_s({"api": control}) - before_s
            time.sleep(_SETTLE_S)
            heard = json.loads(ears.communicate("\n")[0])
    expected = listeners * (tasks + 1)  # the partitioner is a task as well
    if heard["completed"] != expected:
        raise RuntimeError(f"{heard['completed']} of {expected} completed tasks were heard")
    note = f"{listeners:,} listeners, job of {tasks:,} tasks; {len(heard['delays_ms']):,} chunks of events"
    return [
        *_delays(heard["delays_ms"], heard["lateness_ms"], note),
        Figure(
            name="control plane's memory, peak",
            value=peaks.mb["api"],
            unit="MB",
            floor=before_mb,
            floor_name="before",
        ),
        Figure(
            name="control plane's processor time", value=100 * busy_s / watched.wall_s, unit="% of a core"
        ),
        Figure(name="the job", value=watched.wall_s, unit="s", floor=alone.wall_s, floor_name="unheard"),
    ]


def _ears(host: str, port: int | None, token: str, number: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.ears", host, str(port), token, str(number)]
    ears = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert ears.stdout is not None
    if ears.stdout.readline() != "ready\n":
        raise RuntimeError("the listeners could not connect")
    return ears


def _delays(delays_ms: list[float], lateness_ms: list[float], note: str) -> list[Figure]:
    found, floor = (
        statistics.quantiles(some, n=100, method="inclusive") for some in (delays_ms, lateness_ms)
    )
    figures = [
        Figure(
            name=name,
            value=found[at],
            unit="ms",
            floor=floor[at],
            floor_name="a late timer",  # what the machine's load alone costs whoever listens
            goal=_GOAL_MS,
            note=note,
        )
        for name, at in (("median", 49), ("99th percentile", 98))
    ]
    return [*figures, Figure(name="slowest", value=max(delays_ms), unit="ms")]
