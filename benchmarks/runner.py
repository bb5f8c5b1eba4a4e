"""What a runner costs per script, beside a bare spawn of the same script."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure
from worker.output import OutputCapture
from worker.runners.bubblewrap import BubblewrapRunner
from worker.runners.cgroups import Cgroups
from worker.runners.interpreters import base_python, command_for
from worker.runners.process import ProcessRunner
from worker.runners.protocol import Execution, Folder, Slot, SlotKey

TITLE = "One script through a warm slot of each runner"
_KEY = SlotKey(owner="", component="bench", revision=0, image="", memory_mib=0)
_SCRIPTS = {"main.py": "print('x')\n", "main.sh": "echo x\n"}
_ROUNDS = 50


def measure(*, quick: bool) -> list[Figure]:
    """Measure, the variants in turns."""
    cgroups = Cgroups.detect()
    process, sandbox = ProcessRunner(cgroups=cgroups), BubblewrapRunner(cgroups=cgroups)
    slots = {"process": process.open_slot(_KEY)}
    if (reason := sandbox.probe()) is None:
        slots["bubblewrap"] = sandbox.open_slot(_KEY)
    else:
        print(f"no bubblewrap: {reason}")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        for file, code in _SCRIPTS.items():
            script = Path(name, file)
            script.write_text(code)
            variants = {kind: _through(slot, script) for kind, slot in slots.items()}
            times = _times_ms({"": _bare(script)} | variants, 10 if quick else _ROUNDS)
            floor = statistics.median(times.pop(""))
            figures += [_figure(f"{file}, {kind}", values, floor) for kind, values in times.items()]
    for slot in slots.values():
        slot.close()
    process.close()
    return figures


def _bare(script: Path) -> Callable[[], None]:
    command = command_for(script, python=base_python(), path="/usr/bin:/bin")
    return lambda: subprocess.run(command, capture_output=True, check=True).check_returncode()


def _through(slot: Slot, script: Path) -> Callable[[], None]:
    execution = Execution(
        label="bench", script=script, env={}, folders=(Folder(path=script.parent, writable=True),)
    )

    def run() -> None:
        ended = slot.run(execution, OutputCapture())
        if not ended.succeeded:
            raise RuntimeError(ended.message)

    return run


def _times_ms(variants: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Return each variant's times, taken in turns after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, run in variants.items():
            started = time.perf_counter()
            run()
            if turn:
                times[name].append((time.perf_counter() - started) * 1e3)
    return times


def _figure(name: str, times_ms: list[float], floor: float) -> Figure:
    return Figure(
        name=name,
        value=statistics.median(times_ms),
        unit="ms",
        floor=floor,
        floor_name="bare spawn",
        note=f"median of {len(times_ms)}, least {min(times_ms):.2f}",
    )
