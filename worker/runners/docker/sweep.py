"""Which containers and slot folders are whose, and removing what belongs to nobody any more.

A container says in its labels which worker made it. They are believed only together with its name: an image can set
labels, not names, so nobody's container is taken for ours by running such an image.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import structlog

from gridloom.errors import RunnerFailed
from worker.collect import remove_tree

log = structlog.get_logger(__name__)

PREFIX = "gridloom-"
WORKER, SLOT, KEY, CREATED = "gridloom.worker", "gridloom.slot", "gridloom.key", "gridloom.created"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_IDENTITY = re.compile(r"[0-9a-f-]{1,64}/[0-9]{1,20}/[0-9a-f]{1,64}/[0-9]{1,10}/[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """One worker process: machine's start, pid namespace, scratch folder, pid, and the pid's start in clock ticks."""

    boot: str
    pid_space: int
    scratch: str
    pid: int
    started: int

    @classmethod
    def of(cls, pid: int, scratch: Path) -> Self:
        """Return the identity of a process of this pid namespace that owns a scratch folder."""
        return cls(
            boot=_BOOT.read_text().strip(),
            pid_space=Path("/proc/self/ns/pid").stat().st_ino,
            scratch=hashlib.sha256(os.fsencode(scratch.absolute())).hexdigest()[:16],
            pid=pid,
            started=start_of(pid) or 0,
        )

    @classmethod
    def parse(cls, label: str) -> Self | None:
        """Return the identity in a label, None when there is none."""
        if _IDENTITY.fullmatch(label) is None:
            return None
        boot, pid_space, scratch, pid, started = label.split("/")
        return cls(boot=boot, pid_space=int(pid_space), scratch=scratch, pid=int(pid), started=int(started))

    def __str__(self) -> str:
        return f"{self.boot}/{self.pid_space}/{self.scratch}/{self.pid}/{self.started}"

    def outlived(self, other: Self) -> bool:
        """Whether another worker is surely gone, seen from this one.

        A scratch folder is one process's at a time, so whoever had this one's before is gone. Processes of another
        pid namespace can't be looked up: they are taken to be alive.
        """
        if other.boot != self.boot:
            return True
        if other.scratch == self.scratch:
            return (other.pid_space, other.pid, other.started) != (self.pid_space, self.pid, self.started)
        return other.pid_space == self.pid_space and start_of(other.pid) != other.started


def start_of(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the machine's start; None when there is none alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])


def orphans(
    containers: list[Mapping[str, Any]], me: WorkerIdentity, known: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """Return id and slot of the listed containers that are this worker's and unknown to it, or a dead worker's."""
    found = []
    for container in containers:
        labels = container.get("Labels") or {}
        slot = labels.get(SLOT, "")
        owner = WorkerIdentity.parse(labels.get(WORKER, ""))
        if owner is None or not slot.startswith(PREFIX) or f"/{slot}" not in (container.get("Names") or ()):
            continue
        if me.outlived(owner) or (owner == me and not known(slot)):
            found.append((container["Id"], slot))
    return found


def sweep(
    containers: Callable[[], list[Mapping[str, Any]]],
    remove: Callable[[str], None],
    slots: Path,
    me: WorkerIdentity,
    known: Callable[[str], bool],
) -> int:
    """Remove orphaned containers, then the folders in `slots` that no container and no open slot has; count both.

    `known` says whether this worker has a slot of that name open or on its way; containers are listed before it is
    asked, so one that is being made is never taken for an orphan.

    Raises:
        RunnerFailed: when the containers can't be listed; nothing is removed then.
    """
    folders = [it for it in slots.iterdir() if it.name.startswith(PREFIX)] if slots.is_dir() else []
    listed = containers()
    gone, kept = 0, {name for it in listed for name in it.get("Names") or ()}
    for container, slot in orphans(listed, me, known):
        try:
            remove(container)
        except RunnerFailed as error:
            log.warning("container_not_swept", slot=slot, error=error.message)
            continue
        log.info("container_swept", slot=slot)
        kept.discard(f"/{slot}")
        gone += 1
    for folder in folders:
        if f"/{folder.name}" not in kept and not known(folder.name):
            try:
                remove_tree(folder)
            except OSError as error:
                log.warning("slot_folder_not_swept", folder=folder.name, error=str(error))
                continue
            gone += 1
    return gone
