"""What lies around a task: the agent's own namespaces, and those that each task gets fresh.

Nothing here needs a privilege of the host: the agent is no one in its container, and root of nothing but a user
namespace of its own, in which it may make the others.
"""

import os

from .kernel import (
    BIND,
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
    control,
    drop_bounds,
    drop_capabilities,
    enter,
    load_filter,
    mount,
    unshare,
)
from .seccomp import program

NOBODY = 65534
HIDDEN = ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/sysrq-trigger")


class Sandbox:
    """Makes tasks' namespaces, once `settle` has made the agent's."""

    def __init__(self, options):
        self.options = options
        self.nested = False
        self.why_not = "not asked for"
        self.filter = program() if options.confined else b""
        self.own_pids = -1
        self.below_tmp = []

    def settle(self):
        """Find out whether tasks can have namespaces of their own, and enter what they need for that.

        Goes on in a child process: only in a pid namespace that its own user namespace owns can the agent mount /proc,
        and leave and enter pid namespaces. The process that was there before waits for it, so that PID 1 of a
        container lives as long as the agent.
        """
        if not self.options.nested:
            return
        self.why_not = attempt(self.try_all)
        self.nested = not self.why_not
        if not self.nested:
            return
        self.make_user()
        mirror_child()
        unshare(NEW_MOUNTS)
        mount(None, b"/", None, PRIVATE)
        mount(b"proc", b"/proc", b"proc", NO_SETUID | NO_DEVICES | NO_EXEC)
        self.own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.below_tmp = mounts_below(b"/tmp/")

    def try_all(self):
        """Do in a child what the agent and its first task would do."""
        self.make_user()
        child = os.fork()
        if child == 0:
            reason = b""
            try:
                unshare(NEW_MOUNTS)
                mount(None, b"/", None, PRIVATE)
                self.below_tmp = mounts_below(b"/tmp/")
                self.nest()
            except OSError as error:
                reason = str(error).encode()
            os.write(2, reason)
            os._exit(1 if reason else 0)
        if os.waitpid(child, 0)[1]:
            raise OSError("no namespaces of a task's own")

    def make_user(self):
        """Enter a user namespace in which this user is 65534 and may do all."""
        uid, gid = os.getuid(), os.getgid()
        unshare(NEW_USER | NEW_PIDS)
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", "%d %d 1" % (NOBODY, uid))
        write("/proc/self/gid_map", "%d %d 1" % (NOBODY, gid))

    def fork(self):
        """Fork; where tasks are nested the child is the first of a new pid namespace."""
        if not self.nested:
            return os.fork()
        unshare(NEW_PIDS)
        child = os.fork()
        if child:
            enter(self.own_pids, NEW_PIDS)
        return child

    def nest(self):
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
        mount(b"proc", b"/proc", b"proc", flags | NO_EXEC)
        for path in HIDDEN:
            if os.path.exists(path):
                mount(b"/dev/null", path.encode(), None, BIND)
        mount(b"/proc/sys", b"/proc/sys", None, BIND)
        mount(None, b"/proc/sys", None, BIND | REMOUNT | READ_ONLY | flags | NO_EXEC)

    def show_only(self, component):
        """Hide the owner's other components from this process."""
        above = os.fsencode(self.options.components)
        if not self.nested or not above or not component.startswith(above + b"/"):
            return
        fd = os.open(component, os.O_PATH | os.O_CLOEXEC)
        mount(b"tmpfs", above, b"tmpfs", NO_SETUID | NO_DEVICES, b"mode=0755,size=16k,nr_inodes=64")
        show(component, fd)

    def renounce(self):
        """Make sure that nothing this process executes later gains anything."""
        control(NO_NEW_PRIVILEGES, 1)
        if self.nested:
            drop_bounds()

    def confine(self):
        """Give up for good whatever this process may still do that a task may not."""
        if self.nested:
            drop_capabilities()
        if self.filter:
            load_filter(self.filter)


def show(path, fd):
    """Show at a path, made for it, the folder that was opened before something else was mounted above it."""
    os.makedirs(path, exist_ok=True)
    mount(b"/proc/self/fd/%d" % fd, path, None, BIND)
    os.close(fd)


def mounts_below(folder):
    """Return where folders are mounted below another, the outer ones first."""
    with open("/proc/self/mountinfo", "rb") as table:
        points = [line.split()[4] for line in table]
    plain = [it.replace(b"\\040", b" ").replace(b"\\011", b"\t").replace(b"\\134", b"\\") for it in points]
    return sorted({it for it in plain if it.startswith(folder) and os.path.isdir(it)})


def attempt(act):
    """Do something in a child process; return "" or why it failed."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(told, 2)
            act()
        except OSError as error:
            os.write(2, b" (%s)" % str(error).encode())
            os._exit(1)
        os._exit(0)
    os.close(told)
    reason = b""
    while True:
        more = os.read(heard, 1000)
        if not more:
            break
        reason += more
    os.close(heard)
    status = os.waitpid(child, 0)[1]
    return (reason.decode("utf-8", "replace").strip() or "it ended with status %d" % status) if status else ""


def mirror_child():
    """Go on as a child; the parent waits for it and ends as it ends."""
    child = os.fork()
    if child == 0:
        return
    status = os.waitpid(child, 0)[1]
    os._exit(status >> 8 or (128 + (status & 127) if status & 127 else 0))


def write(path, text):
    """Write a file of the kernel."""
    with open(path, "w") as file:
        file.write(text)
