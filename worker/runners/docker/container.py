"""The home that a container is to its agent: what it occupies and counts, and how it ends."""

import os
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import docker
import structlog
from docker.errors import APIError, NotFound

from gridloom.errors import RunnerFailed
from worker.collect import remove_tree
from worker.runners.cgroups import OomCounter
from worker.runners.docker.daemon import Opener, daemon_errors
from worker.runners.protocol import Limits
from worker.runners.rlimits import MIB, Rlimits, rlimits_for

log = structlog.get_logger(__name__)

GONE_WITHIN_S = 30
OOM_COUNTERS = ("memory.events", "memory.oom_control")  #: of the kernel's version 2 and 1
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / MIB
CONFLICT = 409


class ContainerHome:
    """One container and its slot's folder.

    `gone` is called once both are no more, or are left to the sweep.
    """

    def __init__(
        self, opener: Opener, ident: str, folder: Path, *, network: bool, gone: Callable[[], None]
    ) -> None:
        self.folder = folder
        self.ident = ident
        self._opener, self._network, self._gone = opener, network, gone
        self._pid = 0
        self._memory: Path | None = None
        self._kills: OomCounter | None = None
        self._ending = threading.Lock()
        self._ended = False

    def moved_in(self, pid: int) -> None:
        """Note the agent's process, 0 when it can't be told: by it are cgroup and network found."""
        self._pid = pid
        self._memory = memory_cgroup(pid) if pid else None
        self._kills = None if self._memory is None else oom_counter(self._memory)

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
        return None if self._kills is None else self._kills.read()

    def network_bytes(self) -> tuple[int, int] | None:
        """Return the bytes received and sent so far; None without a network, or when they can't be read."""
        if not self._network:
            return None
        try:
            lines = Path(f"/proc/{self._pid}/net/dev").read_text().splitlines()[2:]
        except OSError:
            return None
        counts = [
            it.split() for name, _, it in (line.partition(":") for line in lines) if name.strip() != "lo"
        ]
        return sum(int(it[0]) for it in counts), sum(int(it[8]) for it in counts)

    def kill(self) -> None:
        """Kill everything in it by the daemon, when the agent does not; harmless when it is dead."""
        try:
            with closing(self._opener()) as client, daemon_errors("a container can't be killed"):
                kill(client, self.ident)
        except RunnerFailed as error:
            log.warning("container_not_killed", container=self.ident, error=error.message)

    def destroy(self) -> None:
        """End it and remove its folder; returns when it is gone, or, without a daemon, left to the sweep; idempotent."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            if self._kills is not None:
                self._kills.close()
            try:
                with closing(self._opener()) as client:
                    remove(client, self.ident)
                discard(self.folder)
            except RunnerFailed as error:
                log.warning("container_left_to_sweep", container=self.ident, error=error.message)
            finally:
                self._gone()


def discard(folder: Path) -> None:
    """Remove a slot's folder, or leave it to the sweep."""
    try:
        remove_tree(folder)
    except OSError as error:
        log.warning("slot_folder_left_to_sweep", folder=str(folder), error=str(error))


def kill(client: docker.APIClient, ident: str) -> None:
    """Kill a container; harmless when it is dead or gone."""
    try:
        client.kill(ident, "SIGKILL")
    except NotFound:
        return
    except APIError as error:
        if error.status_code != CONFLICT:
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
            if error.status_code != CONFLICT:  # somebody else is at it
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
        if controllers == "" or "memory" in controllers.split(","):
            folder = root / ("memory" if controllers else "") / path.lstrip("/")
            if any((folder / name).exists() for name in OOM_COUNTERS):
                return folder
    return None


def oom_counter(cgroup: Path) -> OomCounter | None:
    """Return the counter of a memory cgroup's kills, None when there is none."""
    return next((OomCounter(cgroup / name) for name in OOM_COUNTERS if (cgroup / name).exists()), None)


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
