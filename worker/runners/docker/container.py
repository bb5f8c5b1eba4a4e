"""One container: what it may and may not do, and the home it is to its agent."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import structlog
from docker.errors import APIError, NotFound

from gridloom.errors import RunnerFailed
from worker.collect import remove_tree
from worker.runners.docker.daemon import daemon_errors
from worker.runners.protocol import Limits, SlotKey
from worker.runners.rlimits import DEFAULT_MEMORY_MIB, DEFAULT_PROCESSES, MIB, Rlimits, rlimits_for

log = structlog.get_logger(__name__)

#: On top of a task's memory: about 15 MiB of a Python that waits, what its spare touches, page tables and room. What
#: is imported ahead counts as the task's, which would have imported it itself.
AGENT_MIB = 64
AGENT_PROCESSES = 8
OPEN_FILES = 16384  #: below what systems without a daemon of root allow at most
HOSTNAME = "task"
HOME = "/tmp"
#: Ours, shown read-only in every container.
AGENT_AT, PYTHON_AT = "/.gridloom/agent", "/.gridloom/python"
GONE_WITHIN_S = 30
OOM_COUNTERS = ("memory.events", "memory.oom_control")  #: of the kernel's version 2 and 1
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / MIB

Clients = Callable[[], AbstractContextManager[docker.APIClient]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A folder of this machine that a container sees, under its own path unless `at` names another."""

    source: Path
    at: str = ""
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that tells one container from another.

    `env` and `volumes` are the image's own; `user` is `uid:gid`; `network` is one of the daemon's, "" for none;
    `security` are the daemon's options beside no-new-privileges.
    """

    name: str
    image: str
    env: Mapping[str, str]
    volumes: tuple[str, ...]
    key: SlotKey
    command: tuple[str, ...]
    folder: Path
    shown: tuple[Shown, ...]
    user: str
    network: str
    labels: Mapping[str, str]
    security: tuple[str, ...]


def memory_of(key: SlotKey) -> int:
    """Return the MiB that a task of this key may use."""
    return key.memory_mib or DEFAULT_MEMORY_MIB


def scratch_of(key: SlotKey) -> int:
    """Return the MiB that a task's /tmp, and its /dev/shm, may hold."""
    return memory_of(key) // 2


def config(plan: Plan) -> dict[str, Any]:
    """Return what the daemon is asked for: nothing of the image's own wishes counts but its files and variables."""
    return {
        "Image": plan.image,
        "User": plan.user,
        "Env": [f"{name}={value}" for name, value in _variables(plan).items()],
        "Entrypoint": list(plan.command),
        "Cmd": [],
        "WorkingDir": str(plan.folder),
        "Hostname": HOSTNAME,
        "Labels": dict(plan.labels),
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGKILL",
        "NetworkDisabled": not plan.network,
        "HostConfig": _host_config(plan),
    }


def _variables(plan: Plan) -> dict[str, str]:
    threads = str(max(1, int(plan.key.cores)))
    unless_set = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": threads}
    return {name: value for name, value in unless_set.items() if name not in plan.env} | {
        "HOME": HOME,
        "TMPDIR": HOME,
    }


def _host_config(plan: Plan) -> dict[str, Any]:
    memory = (memory_of(plan.key) + AGENT_MIB) * MIB
    scratch = scratch_of(plan.key) * MIB
    return {
        "NetworkMode": plan.network or "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", *plan.security],
        # A nested /proc may be mounted only where nothing of the outer one is hidden; the agent hides it again.
        "MaskedPaths": [],
        "ReadonlyPaths": [],
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": int(max(0.01, min(plan.key.cores, os.cpu_count() or 1)) * 1e9),
        "PidsLimit": DEFAULT_PROCESSES + AGENT_PROCESSES,
        "Ulimits": [
            {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "Tmpfs": {HOME: f"rw,nosuid,nodev,exec,mode=1777,size={scratch}"},
        "ShmSize": scratch,
        "Mounts": [*map(_bind, plan.shown), *map(_volume, plan.volumes)],
        "LogConfig": {"Type": "none", "Config": {}},
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,  # the worker would not learn when it is gone
    }


def _bind(shown: Shown) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(shown.source),
        "Target": shown.at or str(shown.source),
        "ReadOnly": not shown.writable,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _volume(target: str) -> dict[str, Any]:
    """Make of an image's volume, which would be a writable place that outlives its task, a read-only one."""
    return {"Type": "volume", "Target": target, "ReadOnly": True}


class ContainerHome:
    """A started container; `pid` is its agent's process as this machine sees it, 0 when that can't be told.

    `gone` is called once it, and its folder, are no more, or are left to the sweep.
    """

    def __init__(
        self, clients: Clients, ident: str, folder: Path, *, network: bool, gone: Callable[[], None]
    ) -> None:
        self.folder = folder
        self.ident = ident
        self._clients, self._network, self._gone = clients, network, gone
        self._pid = 0
        self._memory: Path | None = None
        self._ending = threading.Lock()
        self._ended = False

    def moved_in(self, pid: int) -> None:
        """Note the agent's process: by it are cgroup and network found."""
        self._pid = pid
        self._memory = memory_cgroup(pid) if pid else None

    def memory_mib(self) -> float:
        """Return what the container occupies beyond cached files; 0 when it is not alive any more."""
        try:
            pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return 0.0
        own = None if self._memory is None else occupied(self._memory)
        return pages * PAGE_MIB if own is None else own / MIB

    def bound(self, limits: Limits) -> Rlimits:
        """Return what the task's own resource limits must do: its memory was bounded when the container was made."""
        return rlimits_for(limits, memory_by_cgroup=True, others=None)

    def oom_kills(self) -> int | None:
        """Return how many processes the kernel has killed in the container for want of memory."""
        if self._memory is None:
            return None
        for name in OOM_COUNTERS:
            value = _counters(self._memory / name).get("oom_kill")
            if value is not None:
                return value
        return None

    def network_bytes(self) -> tuple[int, int] | None:
        """Return the bytes received and sent so far; None without a network, or when they can't be read."""
        if not self._network:
            return None
        try:
            lines = Path(f"/proc/{self._pid}/net/dev").read_text().splitlines()[2:]
        except OSError:
            return None
        counts = [it.split() for name, _, it in (line.partition(":") for line in lines) if name.strip() != "lo"]
        return sum(int(it[0]) for it in counts), sum(int(it[8]) for it in counts)

    def state(self) -> Mapping[str, Any]:
        """Return the daemon's view of it: `Running`, `ExitCode`, `Error`, `OOMKilled`.

        Raises:
            RunnerFailed: when the daemon does not tell.
        """
        with daemon_errors("a container's state can't be asked for"), self._clients() as client:
            state: Mapping[str, Any] = client.inspect_container(self.ident)["State"]
        return state

    def kill(self) -> None:
        """Kill everything in it by the daemon, when the agent does not; harmless when it is dead."""
        try:
            with daemon_errors("a container can't be killed"), self._clients() as client:
                kill(client, self.ident)
        except RunnerFailed as error:
            log.warning("container_not_killed", container=self.ident, error=error.message)

    def destroy(self) -> None:
        """End it and remove its folder; returns when it is gone, or, without a daemon, left to the sweep; idempotent."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            try:
                with self._clients() as client:
                    remove(client, self.ident)
                remove_tree(self.folder)
            except (RunnerFailed, OSError) as error:
                log.warning("container_left_to_sweep", container=self.ident, error=str(error))
            finally:
                self._gone()


def kill(client: docker.APIClient, ident: str) -> None:
    """Kill a container; harmless when it is dead or gone."""
    try:
        client.kill(ident, "SIGKILL")
    except NotFound:
        return
    except APIError as error:
        if error.status_code != 409:
            raise


def remove(client: docker.APIClient, ident: str) -> None:
    """Remove a container and its volumes, running or not; returns when it is gone.

    Raises:
        RunnerFailed: when the daemon can't.
    """
    with daemon_errors("a container can't be removed"):
        try:
            client.remove_container(ident, v=True, force=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # somebody else is at it
                raise
            try:
                client.wait(ident, timeout=GONE_WITHIN_S, condition="removed")
            except NotFound:
                return


def memory_cgroup(pid: int, proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")) -> Path | None:
    """Return the folder of a process's memory cgroup, None when it can't be seen from here."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        trees = {"": root, "memory": root / "memory"}
        if controllers in trees:
            folder = trees[controllers] / path.lstrip("/")
            if any((folder / name).exists() for name in OOM_COUNTERS):
                return folder
    return None


def occupied(cgroup: Path) -> int | None:
    """Return the bytes that a memory cgroup holds beyond cached files, None when they can't be read."""
    stat = _counters(cgroup / "memory.stat")
    if "anon" in stat:  # version 2
        return stat["anon"] + stat.get("shmem", 0)
    if "total_rss" in stat:
        return stat["total_rss"] + stat.get("total_shmem", 0)
    return None


def _counters(path: Path) -> dict[str, int]:
    try:
        pairs = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
