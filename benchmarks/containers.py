"""What a task in a warm container costs, beside a bare fork, a bare subprocess and `docker run` of the same image."""

import importlib.metadata
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import docker

from benchmarks import images
from benchmarks.errand import PANDAS, TRIVIAL, Errand
from benchmarks.figures import Bound, Figure
from benchmarks.rivals import BareSubprocess, DockerRun, ForkServer, Rival
from benchmarks.turns import in_turns, percentile, spread
from benchmarks.warm import PLACES, Site, Warm, chosen
from gridloom.warmth import Isolation
from worker.pool.member import State

TITLE = "A task in a warm slot: from the claim of the slot until the result is read"
_ROUNDS, _STEADY_ROUNDS, _BURST = 50, 400, 8
_PATIENCE_S = 60.0
_DOCKER, _BUBBLEWRAP = "warm docker slot", "warm bubblewrap slot"
_FORK, _SUBPROCESS, _DOCKER_RUN = "bare fork", "bare subprocess", "docker run --rm"
_PACKAGES = ("numpy", "pandas")

Times = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    client: docker.DockerClient
    folder: Path
    docker: Site
    bubblewrap: Site
    rounds: int
    steady_rounds: int

    def rivals(
        self, code: str, name: str, image: str, *, imports: Sequence[str] = (), env: Mapping[str, str]
    ) -> dict[str, Rival]:
        """Return those who run a script without the fabric."""
        errand, folder = Errand.write(self.folder / name / "code", code), self.folder / name
        return {
            _FORK: ForkServer(errand, folder / "fork", imports=imports, env=env),
            _SUBPROCESS: BareSubprocess(errand, folder / "subprocess", env=env),
            _DOCKER_RUN: DockerRun(errand, folder / "docker", client=self.client, image=image),
        }


def measure(*, quick: bool) -> list[Figure]:
    """Measure all, the variants of each part in turns."""
    client = images.connect()
    if client is None:
        return []
    rounds, steady_rounds = (5, 20) if quick else (_ROUNDS, _STEADY_ROUNDS)
    with ExitStack() as stack:
        stack.callback(client.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gl-bench-")))
        folder.chmod(0o755)
        sites = {
            name: stack.enter_context(Site(folder / name, chosen(name, folder / name)))
            for name in ("docker", "bubblewrap")
        }
        bench = _Bench(client=client, folder=folder, rounds=rounds, steady_rounds=steady_rounds, **sites)
        image = images.python_image(client)
        figures = [*_trivial(bench, image), *_first(bench, image), *_strict(bench, image)]
        try:
            return [*figures, *_pandas(bench, images.pandas_image(client))]
        except images.NotToBeMade as error:
            print(f"nothing measured of numpy and pandas: {error}")
            return figures


def _trivial(bench: _Bench, image: str) -> list[Figure]:
    rivals = bench.rivals(TRIVIAL, "trivial", image, env={})
    with bench.docker.pool() as pool, bench.bubblewrap.pool() as other:
        warm = {
            _DOCKER: Warm(pool, bench.docker.errand(TRIVIAL), image=bench.docker.digest(image)).run_s,
            _BUBBLEWRAP: Warm(other, bench.bubblewrap.errand(TRIVIAL)).run_s,
        }
        fork = rivals[_FORK].run_s
        times = in_turns(warm | {name: rival.run_s for name, rival in rivals.items()}, bench.rounds)
        steady = in_turns(warm | {_FORK: fork}, bench.steady_rounds)
    for rival in rivals.values():
        rival.close()
    return [
        *(_beside(times, name, _FORK, bound="at most", goal=1.5) for name in (_DOCKER, _BUBBLEWRAP)),
        *(_beside(times, _DOCKER_RUN, name, bound="at least", goal=40) for name in (_DOCKER, _BUBBLEWRAP)),
        _beside(times, _SUBPROCESS, _DOCKER),
        *(_tail(steady, name) for name in (_DOCKER, _BUBBLEWRAP)),
    ]


def _pandas(bench: _Bench, image: str) -> list[Figure]:
    env = {"PYTHONPATH": str(importlib.metadata.distribution("pandas").locate_file(""))}
    rivals = bench.rivals(PANDAS, "pandas", image, imports=_PACKAGES, env=env)
    with bench.docker.pool() as pool:
        warm = Warm(pool, bench.docker.errand(PANDAS), image=bench.docker.digest(image), preload="auto")
        print(f"learned from the script's first runs: {warm.learn()} modules")
        times = in_turns(
            {_DOCKER: warm.run_s} | {name: rival.run_s for name, rival in rivals.items()}, bench.rounds
        )
    for rival in rivals.values():
        rival.close()
    what = "numpy and pandas"
    return [
        _beside(times, _DOCKER_RUN, _DOCKER, bound="at least", goal=25, what=what),
        _beside(times, _SUBPROCESS, _DOCKER, bound="at least", goal=10, what=what),
        _beside(times, _DOCKER, _FORK, what=f"{what}, both imported ahead"),
    ]


def _first(bench: _Bench, image: str) -> list[Figure]:
    """Measure the first task of an app: its image is here, no slot is open."""
    digest, errand = bench.docker.digest(image), bench.docker.errand(TRIVIAL)
    run = DockerRun(errand, bench.folder / "first", client=bench.client, image=image)
    name = "first task, no slot open"

    def first_s() -> float:
        with bench.docker.pool() as pool:
            return Warm(pool, errand, image=digest).run_s()

    times = in_turns({name: first_s, _DOCKER_RUN: run.run_s}, bench.rounds)
    return [_beside(times, name, _DOCKER_RUN, bound="at most", goal=1.2)]


def _strict(bench: _Bench, image: str) -> list[Figure]:
    """Measure tasks that each get a container of their own: one that is ready, and more than are ready."""
    errand = bench.docker.errand(TRIVIAL)
    run = DockerRun(errand, bench.folder / "strict", client=bench.client, image=image)
    ready, burst = "strict isolation, a container is ready", f"strict isolation, {_BURST} tasks at once"
    with bench.docker.pool() as pool:
        digest = bench.docker.digest(image)
        warm = Warm(pool, errand, image=digest, isolation=Isolation.STRICT)

        def ready_s() -> float:
            pool.expect(warm.key, warm.app, 1)
            _until(lambda: pool.counts().get(State.IDLE, 0) > 0)
            return warm.run_s()

        def burst_s() -> float:
            return _together(lambda left: warm.run_s(waiting=left))

        singles = in_turns({ready: ready_s, _DOCKER_RUN: run.run_s}, bench.rounds)
        rival = f"{_DOCKER_RUN}, {_BURST} times"
        bursts = in_turns(
            {burst: burst_s, rival: lambda: _together(lambda _: run.run_s())}, bench.rounds // 6 + 2
        )
    return [_beside(singles, _DOCKER_RUN, ready), _beside(bursts, rival, burst)]


def _together(task: Callable[[int], float]) -> float:
    """Return the seconds that a burst of tasks takes, as many at a time as there are places; each is told how many
    are left."""
    began = time.perf_counter()
    with ThreadPoolExecutor(PLACES) as threads:
        list(threads.map(task, reversed(range(_BURST))))
    return time.perf_counter() - began


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError("no slot was opened")
        time.sleep(0.01)


def _beside(
    times: Times,
    name: str,
    floor: str,
    *,
    bound: Bound = "at most",
    goal: float | None = None,
    what: str = "",
) -> Figure:
    return Figure(
        name=f"{name}, {what}" if what else name,
        value=statistics.median(times[name]),
        unit="ms",
        floor=statistics.median(times[floor]),
        floor_name=floor,
        bound=bound,
        goal=goal,
        judges="ratio",
        note=spread(times[name]),
    )


def _tail(times: Times, name: str) -> Figure:
    middle = statistics.median(times[name])
    own = percentile(times[_FORK], 99) / statistics.median(times[_FORK])
    return Figure(
        name=f"{name}, 99th percentile",
        value=percentile(times[name], 99),
        unit="ms",
        floor=middle,
        floor_name="its median",
        goal=5,
        judges="ratio",
        note=f"{len(times[name])} rounds with nothing else between; a bare fork's p99 is {own:.1f} medians",
    )
