"""What is left once tasks have run: processes, mounts, sockets, cgroups, containers, and the worker's own memory."""

import tempfile
import time
from contextlib import closing
from pathlib import Path

import docker
import psutil

from benchmarks import images
from benchmarks.errand import TRIVIAL
from benchmarks.fabric import fabric
from benchmarks.figures import Figure
from benchmarks.memory import rss_mb
from benchmarks.thousand import Words
from benchmarks.warm import PLACES, Site, Warm, chosen
from gridloom.settings import RunnerName
from worker.collect import remove_tree

TITLE = "What 500 tasks leave behind, counted on the whole machine; what 10,000 do to the worker's memory"
_TASKS, _MANY, _SOME = 500, 10_000, 2_000
_WORKER_LABEL = "gridloom.worker"
_SETTLE_S = 2.0  #: until all is idle
_SHOWN = 3
_KERNEL_THREADS = 2  #: parent of all of them, which come and go

Things = dict[str, set[str]]


def measure(*, quick: bool) -> list[Figure]:
    """Count before and after."""
    tasks = 20 if quick else _TASKS
    figures = _left("bubblewrap", tasks)
    if (client := images.connect()) is not None:
        with closing(client):
            image = images.python_image(client)
        figures += _left("docker", tasks, image)
    return [*figures, _growth(*((200, 500) if quick else (_SOME, _MANY)))]


def _left(name: RunnerName, tasks: int, image: str = "") -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="gl-bench-") as folder:
        root = Path(folder, name)

        def look() -> Things:
            time.sleep(_SETTLE_S)
            containers = _ours() if image else set()
            slots = {str(it) for it in root.glob("runs/*")}
            return {**_on_machine(), "slot folders": slots, "containers": containers}

        before = look()
        with Site(root, chosen(name, root)) as site, site.pool() as pool:
            warm = Warm(pool, site.errand(TRIVIAL), image=site.digest(image) if image else "")
            _in_pairs(warm, 2 * PLACES)
            open_before = look()
            _in_pairs(warm, tasks)
            open_after = look()
        after = look()
    return [
        _figure(f"{name}, {tasks} tasks later, {PLACES} slots open", open_before, open_after),
        _figure(f"{name}, slots closed", before, after),
    ]


def _in_pairs(warm: Warm, tasks: int) -> None:
    """Run tasks in all places alike, so that no slot serves so many that the pool retires it."""
    for _ in range(tasks // PLACES):
        held = [warm.pool.claim(warm.key, warm.app) for _ in range(PLACES)]
        for slot in held:
            remove_tree(warm.run_in(slot))
        for slot in held:
            slot.give_back()


def _figure(name: str, before: Things, after: Things) -> Figure:
    more = {kind: len(after[kind]) - len(before[kind]) for kind in after}
    new = [
        f"{kind}: {', '.join(sorted(after[kind] - before[kind])[:_SHOWN])}"
        for kind in after
        if more[kind] > 0
    ]
    return Figure(
        name=f"{name}: left over",
        value=sum(max(0, number) for number in more.values()),
        unit="things",
        goal=0,
        note="; ".join(new) or ", ".join(after),
    )


def _on_machine() -> Things:
    groups = Path("/sys/fs/cgroup")
    return {
        "processes": {
            f"{it.pid} {it.info['name']}" for it in psutil.process_iter(["name", "ppid"]) if _in_userland(it)
        },
        "mounts": set(Path("/proc/self/mounts").read_text().splitlines()),
        "sockets": {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]},
        "cgroups": {str(it) for it in groups.rglob("*") if it.is_dir()},
        "open files": {f"{it.name} {_target(it)}" for it in Path("/proc/self/fd").iterdir()},
    }


def _in_userland(process: psutil.Process) -> bool:
    return _KERNEL_THREADS not in (process.pid, process.info["ppid"])


def _ours() -> set[str]:
    client = docker.from_env()
    with closing(client):  # a connection that stays open would count
        return {it["Id"] for it in client.api.containers(all=True, filters={"label": _WORKER_LABEL})}


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return "of this look"


def _growth(some: int, many: int) -> Figure:
    """Measure a whole worker's memory before and after a large job, once a smaller one has warmed it up."""
    with tempfile.TemporaryDirectory(prefix="gl-bench-") as folder, fabric(runner="bubblewrap") as loom:
        worker = loom.processes()["worker"]
        Words(loom, Path(folder), some).run()
        before_mb = rss_mb(worker)
        Words(loom, Path(folder), many).run()
        after_mb = rss_mb(worker)
    return Figure(
        name=f"worker's memory after {many:,} more tasks, bubblewrap",
        value=after_mb,
        unit="MB",
        floor=before_mb,
        floor_name=f"after {some:,}",
        goal=1.05,
        judges="ratio",
    )
