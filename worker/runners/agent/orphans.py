"""What processes leave behind: found among this process's children, and ended."""

from __future__ import annotations

import os
import signal
import time

PAUSE_S = 0.0005


def children() -> list[int]:
    """Return the process numbers of this process's children."""
    me, found = b"%d" % os.getpid(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb", buffering=0) as stat:
                    parent = stat.read(512).rpartition(b")")[2].split()[1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == me:
                found.append(int(name))
    return found


def has_children(pid: int) -> bool:
    """Whether a process has children now; False where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb", buffering=0) as names:
            return bool(names.read(1))
    except OSError:
        return False


def kill_children() -> None:
    """Kill this process's children, whose numbers cannot have been given to anybody else."""
    for pid in children():
        kill(pid)


def kill(pid: int) -> None:
    """Kill a process, or harmlessly none."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


def end_children() -> None:
    """Kill and reap all children, and theirs where this process adopts them, until none is left."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                kill_children()
                time.sleep(PAUSE_S)
        except ChildProcessError:
            return
