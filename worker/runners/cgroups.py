"""Control groups, where this machine lets us make them: one for each slot, bounding memory and processes.

Version 1 keeps a tree for each controller; version 2 has one. A slot's group is made below this process's own group
or, where version 2 forbids that to a group that holds processes, beside it, so that outer limits go on to hold.
"""

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

import structlog

from gridloom.errors import RunnerFailed

log = structlog.get_logger(__name__)

PREFIX = "gridloom"
MIB = 1 << 20
_numbers = count()  # of this process's groups, whoever makes them
JOIN = 'echo $$ > "$1/cgroup.procs"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where one version of the kernel's interface keeps what we need; `swap` is tried, the others must be there."""

    memory: str
    swap: str
    kills: str


V1 = Files(memory="memory.limit_in_bytes", swap="memory.memsw.limit_in_bytes", kills="memory.oom_control")
V2 = Files(memory="memory.max", swap="memory.swap.max", kills="memory.events")


class OomCounter:
    """How many processes the kernel has killed in one group for want of memory; held open, since it is read often.

    `path` is memory.oom_control of version 1 or memory.events of version 2.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def read(self) -> int | None:
        """Return the number; None when the kernel does not tell, or the group is gone."""
        try:
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            _, found, rest = os.pread(self._fd, 4096, 0).partition(b"oom_kill ")
        except OSError:
            return None
        return int(rest.split(maxsplit=1)[0]) if found else None

    def close(self) -> None:
        """Free the descriptor; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Cgroup:
    """One slot's group: a folder in each tree that is used."""

    def __init__(self, memory: Path, pids: Path | None, files: Files) -> None:
        self._memory, self._pids, self._files = memory, pids, files
        self._set: tuple[int, int] = (0, 0)
        self.bounds_processes = pids is not None
        for folder in self.folders():
            folder.mkdir(exist_ok=True)
        self._kills = OomCounter(memory / files.kills)

    def add(self, pid: int) -> None:
        """Move a process in; its later children are born in."""
        for folder in self.folders():
            (folder / "cgroup.procs").write_text(str(pid))

    def limit(self, memory_mib: int, processes: int) -> None:
        """Set the bounds, when they are not set so already.

        Raises:
            RunnerFailed: when the kernel refuses them.
        """
        if self._set == (memory_mib, processes):
            return
        try:
            self._limit_memory(memory_mib * MIB)
            if self._pids is not None:
                (self._pids / "pids.max").write_text(str(processes))
        except OSError as error:
            raise RunnerFailed(f"a slot's memory can't be bounded to {memory_mib} MiB: {error}") from error
        self._set = (memory_mib, processes)

    def oom_kills(self) -> int:
        """Return how many processes of this group the kernel has killed for want of memory."""
        return self._kills.read() or 0

    def members(self) -> list[int]:
        """Return the processes in the group."""
        return [int(pid) for pid in (self._memory / "cgroup.procs").read_text().split()]

    def remove(self) -> None:
        """Remove the group; it lingers for a moment after its last process."""
        self._kills.close()
        for folder in self.folders():
            for pause_s in (0.0, 0.01, 0.1, 0.5):
                time.sleep(pause_s)
                if remove_empty(folder):
                    break
            else:
                log.warning("cgroup_not_removed", path=str(folder))

    def folders(self) -> set[Path]:
        """Return the group's folders: one, or one in each tree."""
        return {self._memory, self._pids or self._memory}

    def _limit_memory(self, limit_bytes: int) -> None:
        swap = self._memory / self._files.swap
        if self._files is V1:
            if swap.exists():
                swap.write_text("-1")  # the sum of both may never be below the memory alone
            (self._memory / self._files.memory).write_text(str(limit_bytes))
            if swap.exists():
                swap.write_text(str(limit_bytes))
        else:
            (self._memory / self._files.memory).write_text(str(limit_bytes))
            if swap.exists():
                swap.write_text("0")


class Cgroups:
    """Makes the groups of one process's slots."""

    def __init__(self, memory: Path, pids: Path | None, files: Files) -> None:
        self._memory, self._pids, self._files = memory, pids, files

    @classmethod
    def detect(
        cls, root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
    ) -> Self | None:
        """Return a maker of groups when this process may make them and move its children in, else None."""
        groups = _own_groups(own)
        for found in (cls._detect_v1(root, groups), cls._detect_v2(root, groups)):
            if found is not None and found.works():
                found.sweep()
                return found
        return None

    @classmethod
    def _detect_v1(cls, root: Path, groups: Mapping[str, str]) -> Self | None:
        memory, pids = (_folder(root / name, groups.get(name)) for name in ("memory", "pids"))
        if memory is None or not os.access(memory, os.W_OK):
            return None
        return cls(memory, pids if pids is not None and os.access(pids, os.W_OK) else None, V1)

    @classmethod
    def _detect_v2(cls, root: Path, groups: Mapping[str, str]) -> Self | None:
        own = _folder(root, groups.get(""))
        if own is None or not (own / "cgroup.subtree_control").exists():
            return None
        for base in (own, own.parent) if own != root else (own,):
            switches = base / "cgroup.subtree_control"
            try:
                switches.write_text("+memory +pids")
            except OSError as error:
                log.debug("cgroup_controllers_not_enabled", path=str(base), error=str(error))
            enabled = switches.read_text().split() if switches.exists() else []
            if "memory" in enabled and os.access(base, os.W_OK):
                return cls(base, base if "pids" in enabled else None, V2)
        return None

    @property
    def bounds_processes(self) -> bool:
        """Whether the groups also bound the number of processes."""
        return self._pids is not None

    def create(self) -> Cgroup:
        """Make the next slot's group.

        Raises:
            RunnerFailed: when the kernel refuses.
        """
        name = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
        try:
            return Cgroup(self._memory / name, None if self._pids is None else self._pids / name, self._files)
        except OSError as error:
            raise RunnerFailed(f"a slot's cgroup can't be made: {error}") from error

    def works(self) -> bool:
        """Try it: whether a child can be bounded and moved."""
        try:
            group = self.create()
        except RunnerFailed as error:
            log.debug("cgroups_not_usable", error=error.message)
            return False
        try:
            group.limit(64, 64)
            folders = {str(folder) for folder in group.folders()}
            return all(
                subprocess.run(
                    ["sh", "-c", JOIN, "sh", path], stderr=subprocess.DEVNULL, check=False
                ).returncode
                == 0
                for path in folders
            )
        except (OSError, RunnerFailed) as error:
            log.debug("cgroups_not_usable", error=str(error))
            return False
        finally:
            group.remove()

    def sweep(self) -> None:
        """Remove the empty groups that processes which are gone have left."""
        for base in {self._memory, self._pids or self._memory}:
            for folder in base.glob(f"{PREFIX}-*-*"):
                pid = folder.name.split("-")[1]
                if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                    remove_empty(folder)


def remove_empty(folder: Path) -> bool:
    """Remove a group unless something still lives in it; tell whether it is gone."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _own_groups(own: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    if own.exists():
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _folder(tree: Path, path: str | None) -> Path | None:
    """Return this process's group in a tree; inside a container its path may be known only from outside."""
    if path is None:
        return None
    inner = tree / path.lstrip("/")
    return inner if inner.is_dir() else tree if tree.is_dir() else None
