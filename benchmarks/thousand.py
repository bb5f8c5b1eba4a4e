"""A thousand tasks that each run a stand-alone script, beside GNU parallel on the same script and inputs."""

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks import images
from benchmarks.fabric import BUCKET, Fabric, fabric, script_python
from benchmarks.figures import Figure
from benchmarks.memory import cpu_s
from gridloom.settings import RunnerName

TITLE = "1,000 tasks of a stand-alone script, 2 at a time, run to Complete"
_TASKS, _ROUNDS = 1_000, 5
_SLOTS = 2
_GOALS = {"process": 0.8, "bubblewrap": 2.5, "docker": 2.5}
_LINE = "the quick brown fox jumps over the lazy dog " * 20 + "\n"
_SCRIPT = """
import os

with open(os.environ["TASK_DIR"] + "/data.bin") as chunk:
    words = len(chunk.read().split())
with open(os.environ["TASK_RESULTS_DIR"] + "/words-" + os.environ["CHUNK_NUMBER"] + ".txt", "w") as result:
    result.write(f"{words}\\n")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What running all tasks took."""

    wall_s: float
    cpu_s: float


def measure(*, quick: bool) -> list[Figure]:
    """Measure each runner that works here, and the rival in turns with it."""
    tasks, rounds = (200, 1) if quick else (_TASKS, _ROUNDS)
    figures = _of_runner("process", "", tasks, rounds) + _of_runner("bubblewrap", "", tasks, rounds)
    if (client := images.connect()) is not None:
        with closing(client):
            image = images.python_image(client)
        figures += _of_runner("docker", image, tasks, rounds)
    return figures


class Words:
    """A job that counts the words of each line of its source, one task a line."""

    def __init__(self, loom: Fabric, folder: Path, tasks: int, image: str = "") -> None:
        self._loom, self._tasks, self._source = loom, tasks, folder / f"source-{tasks}.txt"
        self._source.write_text(_LINE * tasks)
        container = {"platform_config": {"container": image}} if image else {}
        loom.push("app", "words", container, _SCRIPT)

    def run(self) -> Taken:
        """Run it to its end."""
        draft = {
            "app": "words",
            "partitioner": "split",
            "assembler": "passthrough",
            "params": {"partitioner": {"lines": 1}},
            "dataDestination": BUCKET,
        }
        job_id = self._loom.draft(draft, self._source)
        processes = self._loom.processes()
        before_s = cpu_s(processes)
        wall_s = self._loom.run(job_id)
        taken = Taken(wall_s=wall_s, cpu_s=cpu_s(processes | self._loom.processes()) - before_s)
        found = sum(1 for _ in self._loom.client.results(job_id))
        if found != self._tasks:
            raise RuntimeError(f"{found} of {self._tasks} results in the bucket")
        return taken


def _of_runner(runner: RunnerName, image: str, tasks: int, rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="gridloom-bench-") as name, fabric(runner=runner) as loom:
        rival, job = _Rival(Path(name), tasks), Words(loom, Path(name), tasks, image)
        job.run()  # both sides start warm
        ours, theirs = [], []
        for _ in range(rounds):
            theirs.append(rival.run())
            ours.append(job.run())
    return _figures(runner, tasks, ours, theirs, rival.name)


def _figures(
    runner: RunnerName, tasks: int, ours: list[Taken], theirs: list[Taken], rival: str
) -> list[Figure]:
    speeds, floors = [tasks / it.wall_s for it in ours], [tasks / it.wall_s for it in theirs]
    figure = Figure(
        name=f"{runner}: whole job of {tasks:,}, cut by lines, results in the bucket",
        value=statistics.median(speeds),
        unit="tasks/s",
        floor=statistics.median(floors),
        floor_name=rival,
        bound="at least",
        goal=_GOALS[runner],
        judges="ratio",
        note=f"{len(ours)} rounds in turns; best {max(speeds):.0f} and {max(floors):.0f}; {script_python()}",
    )
    if runner == "docker":
        return [figure]  # the containers' processor time is the daemon's children's
    return [
        figure,
        Figure(
            name=f"{runner}: processor time a task, all processes",
            value=statistics.median(it.cpu_s for it in ours) / tasks * 1e3,
            unit="ms",
            floor=statistics.median(it.cpu_s for it in theirs) / tasks * 1e3,
            floor_name=rival,
        ),
    ]


class _Rival:
    """GNU parallel, or where there is none xargs, on the same script, interpreter and inputs."""

    def __init__(self, folder: Path, tasks: int) -> None:
        self._folder = folder
        self._tasks = tasks
        script = folder / "main.py"
        script.write_text(_SCRIPT)
        for number in range(tasks):
            task = folder / "tasks" / str(number)
            task.mkdir(parents=True)
            (task / "data.bin").write_text(_LINE)
        parallel = shutil.which("parallel")
        self.name = f"parallel -j{_SLOTS}" if parallel else f"xargs -P{_SLOTS} (no parallel here)"
        line = f"CHUNK_NUMBER={{}} TASK_DIR=tasks/{{}} exec {script_python()} {script}"
        self._command = (
            [parallel, "--will-cite", f"-j{_SLOTS}", line]
            if parallel
            else ["xargs", f"-P{_SLOTS}", "-I{}", "sh", "-c", line]
        )

    def run(self) -> Taken:
        """Run all tasks."""
        results = self._folder / "results"
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir()
        numbers = "".join(f"{number}\n" for number in range(self._tasks))
        # The fabric's scripts get no more of the environment either.
        env = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "TASK_RESULTS_DIR": str(results)}
        started, before_s = time.perf_counter(), _children_cpu_s()
        subprocess.run(self._command, input=numbers, text=True, cwd=self._folder, env=env, check=True)
        taken = Taken(wall_s=time.perf_counter() - started, cpu_s=_children_cpu_s() - before_s)
        if len(list(results.iterdir())) != self._tasks:
            raise RuntimeError(f"{self.name} left {len(list(results.iterdir()))} results")
        return taken


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
