"""What a runner costs per script, beside a bare spawn of the same script in the same minute.

Run as `python benchmarks/bench_runner.py [ROUNDS]`; variants are interleaved, medians and minima are printed in ms.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from worker.output import OutputCapture
from worker.runners.bubblewrap import BubblewrapRunner
from worker.runners.cgroups import Cgroups
from worker.runners.interpreters import base_python, command_for
from worker.runners.process import ProcessRunner
from worker.runners.protocol import Execution, Folder, Slot, SlotKey

KEY = SlotKey(owner="", component="bench", revision=0, image="", memory_mib=0)
SCRIPTS = {"main.py": "print('x')\n", "main.sh": "echo x\n"}


def bare(script: Path) -> Callable[[], None]:
    """Return the floor: a plain spawn."""
    command = command_for(script, python=base_python(), path="/usr/bin:/bin")
    return lambda: subprocess.run(command, capture_output=True, check=True).check_returncode()


def through(slot: Slot, script: Path) -> Callable[[], None]:
    """Return one run through a slot."""
    execution = Execution(
        label="bench", script=script, env={}, folders=(Folder(path=script.parent, writable=True),)
    )

    def run() -> None:
        ended = slot.run(execution, OutputCapture())
        if not ended.succeeded:
            raise RuntimeError(ended.message)

    return run


def measure(variants: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Return each variant's times in ms, taken in turns after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, run in variants.items():
            started = time.perf_counter()
            run()
            if turn:
                times[name].append((time.perf_counter() - started) * 1e3)
    return times


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    cgroups = Cgroups.detect()
    process, sandbox = ProcessRunner(cgroups=cgroups), BubblewrapRunner(cgroups=cgroups)
    slots = {"process": process.open_slot(KEY)}
    if (reason := sandbox.probe()) is None:
        slots["bubblewrap"] = sandbox.open_slot(KEY)
    else:
        print(f"no bubblewrap: {reason}")
    with tempfile.TemporaryDirectory() as name:
        variants: dict[str, Callable[[], None]] = {}
        for file, code in SCRIPTS.items():
            script = Path(name, file)
            script.write_text(code)
            variants[f"{file} bare"] = bare(script)
            variants |= {f"{file} {kind}": through(slot, script) for kind, slot in slots.items()}
        for variant, times in measure(variants, rounds).items():
            print(f"{variant:20} median {statistics.median(times):7.2f}  min {min(times):7.2f}")
    for slot in slots.values():
        slot.close()
    process.close()


if __name__ == "__main__":
    main()
