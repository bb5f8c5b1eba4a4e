"""Calls of the kernel that Python has no function for."""

import ctypes
import os

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS = 0x20000, 0x08000000, 0x10000000, 0x20000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, PRIVATE = 1, 2, 4, 8, 32, 0x1000, 0x40000 | 0x4000
KILLED_WITH_PARENT, SUBREAPER, NO_NEW_PRIVILEGES, SET_SECCOMP, DROP_BOUND = 1, 36, 38, 22, 24
CAPABILITIES_3 = 0x20080522

LIBC = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """A seccomp program: `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def check(result, what):
    """Raise the C library's error when a call returned one."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))


def unshare(flags):
    """Enter new namespaces; a new pid namespace is for children only."""
    check(LIBC.unshare(flags), "unshare")


def enter(fd, kind):
    """Enter the namespace that `fd` stands for."""
    check(LIBC.setns(fd, kind), "setns")


def mount(source, target, kind, flags=0, data=None):
    """Mount; all but flags are bytes or None."""
    check(LIBC.mount(source, target, kind, flags, data), "mount %s" % os.fsdecode(target))


def control(option, value):
    """Set one of this process's attributes."""
    check(LIBC.prctl(option, value, 0, 0, 0), "prctl %d" % option)


def load_filter(code):
    """Pass every later system call of this process through a seccomp program, given as bytes."""
    program = Filter(len(code) // 8, code)
    check(LIBC.prctl(SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")


def drop_bounds():
    """Let nothing that this process executes gain a capability."""
    number = 0
    while LIBC.prctl(DROP_BOUND, number, 0, 0, 0) == 0:
        number += 1


def drop_capabilities():
    """Give up every capability; with no bounds and no new privileges that is for good."""
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    check(LIBC.capset(header, (ctypes.c_uint32 * 6)()), "capset")
