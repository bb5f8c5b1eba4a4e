"""Emptying what the tasks of a container share where they can't have namespaces of their own.

It is done only by the first process of a pid namespace, and only in places that are mounts of their own: never in a
machine's /tmp.
"""

from __future__ import annotations

import os
from itertools import count

from .kernel import remove_ipc
from .orphans import kill

EVERYTHING = -1
PLACES = (b"/tmp", b"/dev/shm", b"/dev/mqueue")
IPC = ("shm", "msg", "sem")


def alone() -> bool:
    """Whether this process is the first of its pid namespace, so that all others there are tasks'."""
    return os.getpid() == 1


def kill_others() -> None:
    """Kill every other process in the container, at once."""
    if alone():
        kill(EVERYTHING)


def clear() -> None:
    """Empty /tmp, shared memory and message queues; raises OSError where that can't be done."""
    if not alone():
        return
    mounted = mounts()
    for place in PLACES:
        if place in mounted:
            empty(place, mounted)
    for kind in IPC:
        with open(f"/proc/sysvipc/{kind}", "rb") as table:
            for line in table.readlines()[1:]:
                remove_ipc(kind, int(line.split()[1]))


def empty(folder: bytes, kept: list[bytes]) -> None:
    """Remove all that is in a folder but what is mounted there."""
    top = opened(folder, None)
    try:
        numbers = count()
        for name in map(os.fsencode, os.listdir(top)):
            path = folder + b"/" + name
            if any(it.startswith(path + b"/") for it in kept):
                empty(path, kept)
            elif path not in kept:
                remove(name, top, numbers)
    finally:
        os.close(top)


def remove(name: bytes, top: int, numbers: count[int]) -> None:
    """Remove a file or folder; folders in it first move up to `top`, so that depth costs neither stack nor length."""
    pending = [name]
    while pending:
        name = pending.pop()
        if unlinked(name, top):
            continue
        folder = opened(name, top)
        try:
            for inner in map(os.fsencode, os.listdir(folder)):
                if not unlinked(inner, folder):
                    os.close(opened(inner, folder))  # makes it movable
                    fresh = unused(top, numbers)
                    os.rename(inner, fresh, src_dir_fd=folder, dst_dir_fd=top)
                    pending.append(fresh)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=top)


def unlinked(name: bytes, folder: int) -> bool:
    """Unlink a file; tell whether it was none but a folder."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        return False
    return True


def opened(name: bytes, above: int | None) -> int:
    """Open a folder, made accessible where it belongs to this user."""
    try:
        os.chmod(name, 0o700, dir_fd=above)
    except PermissionError:  # another's, such as /tmp itself
        pass
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)


def unused(folder: int, numbers: count[int]) -> bytes:
    """Return a name that nothing in a folder has."""
    for number in numbers:
        name = b".%d" % number
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return name
    raise AssertionError


def mounts() -> list[bytes]:
    """Return where something is mounted."""
    with open("/proc/self/mountinfo", "rb") as table:
        points = [line.split()[4] for line in table]
    return [it.replace(b"\\040", b" ").replace(b"\\011", b"\t").replace(b"\\134", b"\\") for it in points]


def mounts_below(folder: bytes) -> list[bytes]:
    """Return where folders are mounted below another, the outer ones first."""
    return sorted({it for it in mounts() if it.startswith(folder) and os.path.isdir(it)})
