"""How long `gridloom --help` takes, beside a bare interpreter and the library that reads the command line."""

import os
import resource
import statistics
import subprocess
import sys
import time

from benchmarks.figures import Figure

TITLE = "gridloom --help, whole processes"
_GOAL_MS = 250.0
_HELP, _BARE, _TYPER = ["-P", "-m", "cli.main", "--help"], ["-c", "pass"], ["-c", "import typer"]


def measure(*, quick: bool) -> list[Figure]:
    """Start each again and again, in turns, so that all meet the same load."""
    commands = {"help": _HELP, "bare": _BARE, "typer": _TYPER}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for command in commands.values():
        _once(command)
    for _ in range(5 if quick else 40):
        for name, command in commands.items():
            took[name].append(_once(command))
    wall = {name: statistics.median(it for it, _ in times) for name, times in took.items()}
    busy = {name: statistics.median(it for _, it in times) for name, times in took.items()}
    return [
        Figure(
            name="wall time",
            value=wall["help"],
            unit="ms",
            floor=wall["bare"],
            floor_name="python -c pass",
            goal=_GOAL_MS,
            note=f"import typer alone {wall['typer']:.0f} ms",
        ),
        Figure(
            name="processor time",
            value=busy["help"],
            unit="ms",
            floor=busy["bare"],
            floor_name="python -c pass",
            note=f"import typer alone {busy['typer']:.0f} ms",
        ),
    ]


def _once(arguments: list[str]) -> tuple[float, float]:
    """Return wall and processor time of one process in milliseconds."""
    before, started_at = _children_s(), time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        check=True,
        env=os.environ | {"COLUMNS": "80"},
    )
    return (time.perf_counter() - started_at) * 1000, (_children_s() - before) * 1000


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
