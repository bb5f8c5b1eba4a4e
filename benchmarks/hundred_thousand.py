"""A job of 100,000 simulated tasks: what a chunk costs beside a job of 1,000, what the processes take, how fast
the API answers meanwhile."""

import statistics
import threading
import time
from types import TracebackType
from typing import Self

import redis

from benchmarks.fabric import BUCKET, BYPASS, Fabric, fabric
from benchmarks.figures import Figure
from benchmarks.memory import MB, Peaks, cpu_s
from cli.valkey import socket_folder

TITLE = "A job of 100,000 simulated tasks"
_SMALL, _LARGE = 1_000, 100_000
_SMALL_ROUNDS = 3
_ASK_EVERY_S = 0.5
_FLOOR = "GET /healthz"
_WATCHED = ("scheduler", "api", "worker")


def measure(*, quick: bool) -> list[Figure]:
    """Run small jobs and a large one, and ask the API while the large one runs."""
    large = 10_000 if quick else _LARGE
    with fabric(runner="mock") as loom:
        loom.push("app", "nothing", {})
        loom.push("engine", "many", {"type": "partitioner"})
        _run(loom, _SMALL)
        small = [_run(loom, _SMALL) for _ in range(_SMALL_ROUNDS)]
        processes = loom.processes()
        job_id = _draft(loom, large)
        asked = _Asked(loom, job_id)
        with Peaks({name: processes[name] for name in _WATCHED}) as peaks, asked:
            whole_s, cpu = _timed(loom, job_id)
    return [
        *_costs(small, (whole_s, cpu), large),
        *(
            Figure(name=f"peak memory of the {name}", value=mb, unit="MB", goal=300)
            for name, mb in peaks.mb.items()
        ),
        Figure(name="peak memory used by the broker", value=asked.broker_mb, unit="MB", goal=20),
        *_answers(asked.times_ms),
    ]


def _costs(small: list[tuple[float, float]], whole: tuple[float, float], large: int) -> list[Figure]:
    figures = []
    for place, (name, goal) in enumerate((("time", 1.3), ("processor time", None))):
        value = whole[place] / large * 1e3
        floor = statistics.median(it[place] for it in small) / _SMALL * 1e3
        figures.append(
            Figure(
                name=f"{name} a chunk, in a job of {large:,}",
                value=value,
                unit="ms",
                floor=floor,
                floor_name=f"in one of {_SMALL:,}",
                goal=goal,
                judges="ratio",
                note=f"{1e3 / value:.0f} chunks/s, in small jobs {1e3 / floor:.0f}",
            )
        )
    return figures


def _answers(times_ms: dict[str, list[float]]) -> list[Figure]:
    floor = statistics.median(times_ms[_FLOOR])
    return [
        Figure(
            name=name,
            value=statistics.median(times),
            unit="ms",
            floor=floor,
            floor_name=_FLOOR,
            goal=50,
            note=f"median of {len(times)} while it runs, longest {max(times):.0f}",
        )
        for name, times in times_ms.items()
        if name != _FLOOR
    ]


def _draft(loom: Fabric, chunks: int) -> str:
    draft = {
        "app": "nothing",
        "partitioner": "many",
        "assembler": "passthrough",
        "params": {"partitioner": {"mock": {"chunks": chunks}}},
        "dataSource": BYPASS,
        "dataDestination": BUCKET,
    }
    return loom.draft(draft)


def _run(loom: Fabric, chunks: int) -> tuple[float, float]:
    return _timed(loom, _draft(loom, chunks))


def _timed(loom: Fabric, job_id: str) -> tuple[float, float]:
    """Return the seconds, and the processor seconds of all processes, that a job takes."""
    processes = loom.processes()
    before_s = cpu_s(processes)
    took_s = loom.run(job_id)
    return took_s, cpu_s(processes) - before_s


class _Asked:
    """Asks API and broker twice a second in a thread of its own, while its block runs."""

    def __init__(self, loom: Fabric, job_id: str) -> None:
        self._loom = loom
        self._paths = {
            "GET job": f"/v1/customer/jobs/{job_id}",
            "GET jobs, first page": "/v1/customer/jobs",
            "GET tasks, first page": f"/v1/customer/jobs/{job_id}/tasks",
            _FLOOR: "/healthz",
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.times_ms: dict[str, list[float]] = {name: [] for name in self._paths}
        self.broker_mb = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        broker = redis.Redis(unix_socket_path=str(socket_folder(self._loom.folder) / "v.sock"))
        with self._loom.http() as http:
            while not self._stop.wait(_ASK_EVERY_S):
                for name, path in self._paths.items():
                    started = time.perf_counter()
                    http.get(path).raise_for_status()
                    self.times_ms[name].append((time.perf_counter() - started) * 1e3)
                self.broker_mb = max(self.broker_mb, broker.info("memory")["used_memory"] / MB)
        broker.close()
