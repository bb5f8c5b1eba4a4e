"""What a fabric takes that has nothing to do, beside one bare interpreter."""

import subprocess
import sys
import time

import psutil

from benchmarks.fabric import fabric
from benchmarks.figures import Figure
from benchmarks.memory import cpu_s, pss_mb, rss_mb

TITLE = "An idle fabric, all processes together"
_SETTLE_S, _WATCH_S = 5.0, 20.0


def measure(*, quick: bool) -> list[Figure]:
    """Let it settle, then measure."""
    watch_s = 5.0 if quick else _WATCH_S
    bare_mb = _bare_interpreter_mb()
    with fabric(runner="auto") as loom:
        time.sleep(_SETTLE_S)
        processes = loom.processes()
        before_s = cpu_s(processes)
        time.sleep(watch_s)
        busy = 100 * (cpu_s(processes) - before_s) / watch_s
        resident = {name: rss_mb(process) for name, process in processes.items()}
        shared = {name: pss_mb(process) for name, process in processes.items()}
    parts = ", ".join(f"{name} {resident[name]:.0f}/{shared[name]:.0f}" for name in processes)
    return [
        Figure(
            name="resident memory (RSS)",
            value=sum(resident.values()),
            unit="MB",
            floor=bare_mb,
            floor_name="one bare python",
            goal=350,
            note=f"RSS/PSS: {parts}",
        ),
        Figure(name="its own share (PSS)", value=sum(shared.values()), unit="MB"),
        Figure(name=f"processor time over {watch_s:.0f} s", value=busy, unit="% of a core", goal=2),
    ]


def _bare_interpreter_mb() -> float:
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bare:
        assert bare.stdout is not None
        bare.stdout.readline()
        return rss_mb(psutil.Process(bare.pid))
