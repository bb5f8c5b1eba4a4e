"""What lies around a task: the agent's own namespaces, and those that each task gets fresh.

Nothing here needs a privilege of the host: the agent is no one in its container, and root of nothing but a user
namespace of its own, in which it may make the others.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

from .clearing import clear, mounts_below
from .forks import fork
from .kernel import (
    BIND,
    DUMPABLE,
    NEW_IPC,
    NEW_MOUNTS,
    NEW_PIDS,
    NEW_USER,
    NO_DEVICES,
    NO_EXEC,
    NO_NEW_PRIVILEGES,
    NO_SETUID,
    PRIVATE,
    READ_ONLY,
    REMOUNT,
    SUBREAPER,
    control,
    drop_bounds,
    drop_capabilities,
    enter,
    load_filter,
    mount,
    sleeper,
    unshare,
)
from .options import Options
from .seccomp import program

NOBODY = 65534
MOST_WATCHERS = 32  # inotify's instances, of 128 that most machines give a user
HIDDEN = (b"/proc/kcore", b"/proc/keys", b"/proc/timer_list", b"/proc/sched_debug", b"/proc/sysrq-trigger")


class Sandbox:
    """Makes tasks' namespaces, once `settle` has made the agent's."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.nested = False
        self.why_not = "not asked for"
        self.filter = program() if options.confined else b""
        self.own_pids = -1
        self.below_tmp: list[bytes] = []

    def settle(self) -> None:
        """Find out whether tasks can have namespaces of their own, and enter what they need for that.

        Goes on in a child process: only in a pid namespace that its own user namespace owns can the agent mount /proc,
        and leave and enter pid namespaces. The process that was there before waits for it, so that PID 1 of a
        container lives as long as the agent.
        """
        if self.options.nested:
            self.why_not = attempt(self.try_all)
            self.nested = not self.why_not
        if not self.nested:
            control(SUBREAPER, 1)
            if (
                self.options.confined
            ):  # same user, same processes: else tasks could write into the agent's memory
                control(DUMPABLE, 0)
            return
        self.make_user()
        mirror_child()
        unshare(NEW_MOUNTS)
        mount(None, b"/", None, PRIVATE)
        mount(b"proc", b"/proc", b"proc", NO_SETUID | NO_DEVICES | NO_EXEC)
        ration()
        self.own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.below_tmp = mounts_below(b"/tmp/")

    def try_all(self) -> None:
        """Do in a child what the agent and its first task would do."""
        self.make_user()
        if os.waitpid(fork(self.try_nesting), 0)[1]:
            raise OSError("no namespaces of a task's own")

    def try_nesting(self) -> None:
        """Do what a task would do; exits with 0 where that works, else says why not."""
        try:
            unshare(NEW_MOUNTS)
            mount(None, b"/", None, PRIVATE)
            self.below_tmp = mounts_below(b"/tmp/")
            self.nest()
        except OSError as error:
            os.write(2, str(error).encode())
            os._exit(1)
        os._exit(0)

    def make_user(self) -> None:
        """Enter a user namespace in which this user is 65534 and may do all."""
        uid, gid = os.getuid(), os.getgid()
        unshare(NEW_USER | NEW_PIDS)
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{NOBODY} {uid} 1")
        write("/proc/self/gid_map", f"{NOBODY} {gid} 1")

    def fork(self, live: Callable[[], None]) -> int:
        """Return the number of a child that does `live`; where tasks are nested it is the first of its pid namespace."""
        if not self.nested:
            return fork(partial(be_visible, live))
        unshare(NEW_PIDS)
        child = fork(live)
        enter(self.own_pids, NEW_PIDS)
        return child

    def fork_second(self, live: Callable[[], None]) -> tuple[int, int]:
        """Return the numbers of the first process of a new pid namespace and of a child in it that does `live`.

        The first only sleeps and lets the kernel reap its orphans: a script is not first itself, since signals that it
        sends itself would not reach it. When the first is killed, so is all else in there. Without nesting it is 0.
        """
        if not self.nested:
            return 0, self.fork(live)
        unshare(NEW_PIDS)
        handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            first = sleeper()
        finally:
            signal.signal(signal.SIGCHLD, handler)
        child = fork(live)
        enter(self.own_pids, NEW_PIDS)
        return first, child

    def nest(self) -> None:
        """Give this process mounts and message queues of its own, an empty /tmp, and a /proc of its own pids."""
        unshare(NEW_MOUNTS | NEW_IPC)
        flags = NO_SETUID | NO_DEVICES
        size = b"mode=1777,size=%dm" % self.options.scratch_mib
        if not self.options.shared_tmp:
            kept = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in self.below_tmp]
            mount(b"tmpfs", b"/tmp", b"tmpfs", flags, size)
            for path, fd in kept:
                show(path, fd)
            if os.path.isdir("/dev/shm"):
                mount(b"tmpfs", b"/dev/shm", b"tmpfs", flags, size)
        if os.path.isdir("/dev/mqueue"):
            mount(b"mqueue", b"/dev/mqueue", b"mqueue", flags | NO_EXEC)
        mount(b"proc", b"/proc", b"proc", flags | NO_EXEC)
        for hidden in HIDDEN:
            if os.path.exists(hidden):
                mount(b"/dev/null", hidden, None, BIND)
        mount(b"/proc/sys", b"/proc/sys", None, BIND)
        mount(None, b"/proc/sys", None, BIND | REMOUNT | READ_ONLY | flags | NO_EXEC)

    def clear(self) -> None:
        """Empty what tasks without namespaces of their own would share; raises OSError where that can't be done."""
        if self.options.confined and not self.nested and not self.options.shared_tmp:
            clear()

    def show_only(self, component: bytes) -> None:
        """Hide the owner's other components from this process."""
        above = os.fsencode(self.options.components)
        if not self.nested or not above or not component.startswith(above + b"/"):
            return
        fd = os.open(component, os.O_PATH | os.O_CLOEXEC)
        mount(b"tmpfs", above, b"tmpfs", NO_SETUID | NO_DEVICES, b"mode=0755,size=16k,nr_inodes=64")
        show(component, fd)

    def renounce(self) -> None:
        """Make sure that nothing this process executes later gains anything."""
        control(NO_NEW_PRIVILEGES, 1)
        if self.nested:
            drop_bounds()

    def confine(self) -> None:
        """Give up for good whatever this process may still do that a task may not."""
        if self.nested:
            drop_capabilities()
        if self.filter:
            load_filter(self.filter)


def ration() -> None:
    """Leave some of what the kernel counts for all of a user's processes on the machine to the other slots."""
    try:
        write("/proc/sys/user/max_inotify_instances", str(MOST_WATCHERS))
    except OSError:  # the kernel is older than these bounds, or shows them to nobody
        return


def show(path: bytes, fd: int) -> None:
    """Show at a path, made for it, the folder that was opened before something else was mounted above it."""
    os.makedirs(path, exist_ok=True)
    mount(b"/proc/self/fd/%d" % fd, path, None, BIND)
    os.close(fd)


def be_visible(live: Callable[[], None]) -> None:
    """Let a child see its own /proc, as the agent itself may not."""
    control(DUMPABLE, 1)
    live()


def attempt(act: Callable[[], None]) -> str:
    """Do something in a child process; return "" or why it failed."""
    heard, told = os.pipe()
    child = fork(partial(try_out, act, told))
    os.close(told)
    reason = b""
    while True:
        more = os.read(heard, 1000)
        if not more:
            break
        reason += more
    os.close(heard)
    status = os.waitpid(child, 0)[1]
    return (reason.decode("utf-8", "replace").strip() or f"it ended with status {status}") if status else ""


def try_out(act: Callable[[], None], told: int) -> None:
    """Do something; exits with 0 where that works, else says why not."""
    os.dup2(told, 2)
    try:
        act()
    except OSError as error:
        os.write(2, f" ({error})".encode())
        os._exit(1)
    os._exit(0)


def mirror_child() -> None:
    """Go on as a child; the parent waits for it and ends as it ends."""
    child = os.fork()
    if child == 0:
        return
    status = 0
    try:
        status = os.waitpid(child, 0)[1]
    finally:
        os._exit(status >> 8 or (128 + (status & 127) if status & 127 else 0))


def write(path: str, text: str) -> None:
    """Write a file of the kernel."""
    with open(path, "w") as file:
        file.write(text)
