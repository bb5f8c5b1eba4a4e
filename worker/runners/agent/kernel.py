"""Calls of the kernel that Python has no function for."""

from __future__ import annotations

import ctypes
import os
import signal

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS = 0x20000, 0x08000000, 0x10000000, 0x20000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, PRIVATE = 1, 2, 4, 8, 32, 0x1000, 0x40000 | 0x4000
KILLED_WITH_PARENT, DUMPABLE, SUBREAPER, NO_NEW_PRIVILEGES, SET_SECCOMP, DROP_BOUND = 1, 4, 36, 38, 22, 24
CAPABILITIES_3 = 0x20080522
REMOVE = 0

SHARED_MEMORY = 0x100
STACK_BYTES, STACK_ALIGNED = 1 << 14, 16

LIBC = ctypes.CDLL(None, use_errno=True)
STACK = ctypes.create_string_buffer(STACK_BYTES)  # of the one process that `sleeper` starts at a time


class Filter(ctypes.Structure):
    """A seccomp program: `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def check(result: int | bool, what: str) -> None:
    """Raise the C library's error when a call returned one."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def sleeper() -> int:
    """Start a child that sleeps for good, and return its number.

    It runs the C library's `pause` in this process's own memory, so that it costs no copy of anything.
    """
    top = ctypes.addressof(STACK) + STACK_BYTES - STACK_ALIGNED
    top -= top % STACK_ALIGNED
    code = ctypes.cast(LIBC.pause, ctypes.c_void_p)
    child = LIBC.clone(code, ctypes.c_void_p(top), SHARED_MEMORY | signal.SIGCHLD, None)
    check(child < 0, "clone")
    return int(child)


def unshare(flags: int) -> None:
    """Enter new namespaces; a new pid namespace is for children only."""
    check(LIBC.unshare(flags), "unshare")


def enter(fd: int, kind: int) -> None:
    """Enter the namespace that `fd` stands for."""
    check(LIBC.setns(fd, kind), "setns")


def mount(
    source: bytes | None, target: bytes, kind: bytes | None, flags: int = 0, data: bytes | None = None
) -> None:
    """Mount; what is not needed is None."""
    check(LIBC.mount(source, target, kind, ctypes.c_ulong(flags), data), f"mount {os.fsdecode(target)}")


def control(option: int, value: int) -> None:
    """Set one of this process's attributes."""
    check(LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def load_filter(code: bytes) -> None:
    """Pass every later system call of this process through a seccomp program."""
    program = Filter(len(code) // 8, code)
    check(LIBC.prctl(SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")


def drop_bounds() -> None:
    """Let nothing that this process executes gain a capability."""
    number = 0
    while LIBC.prctl(DROP_BOUND, number, 0, 0, 0) == 0:
        number += 1


def drop_capabilities() -> None:
    """Give up every capability; with no bounds and no new privileges that is for good."""
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    check(LIBC.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def remove_ipc(kind: str, number: int) -> None:
    """Remove System V shared memory (`shm`), a message queue (`msg`) or semaphores (`sem`)."""
    arguments = (0, REMOVE) if kind == "sem" else (REMOVE, None)
    check(LIBC[f"{kind}ctl"](number, *arguments), f"{kind}ctl")


def flush_streams() -> None:
    """Write what C code has printed and not written yet."""
    LIBC.fflush(None)
