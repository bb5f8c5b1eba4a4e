"""What an import leaves behind in its process besides modules."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator

from .kernel import SUBREAPER, control, flush_streams

HANDLED = ("openblas",)  # whose threads end before a fork and start again after it, by handlers of their own
HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random")
STATUS = (b"Umask:", b"SigBlk:", b"SigIgn:", b"SigCgt:")
OF_LIBC = 0b111 << 31  # signals 32 to 34, which it handles once there have been threads


class Printed:
    """Takes the standard streams' place in this process, to see whether anything is written to them."""

    def __init__(self) -> None:
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.heard, written = os.pipe()
        os.set_blocking(written, False)
        for target, fd in enumerate((nothing, written, written)):
            os.dup2(fd, target)
        os.close(nothing)
        os.close(written)

    def anything(self) -> bool:
        """Whether anything has been written."""
        for it in (sys.stdout, sys.stderr):
            try:
                it.flush()
            except BlockingIOError:
                return True
        flush_streams()
        return bool(select.select([self.heard], [], [], 0)[0])


class Traces:
    """How a process is before an import, and in what it differs afterwards."""

    def __init__(self, printed: Printed) -> None:
        self.printed = printed
        self.environment = dict(os.environb)
        self.folder = os.getcwd()
        self.threads = len(os.listdir("/proc/self/task"))
        self.descriptors = descriptors()
        self.handlers = handlers()

    def changed(self) -> str:
        """Return what has changed in a way that tasks must not inherit, or ""."""
        return next(self.changes(), "")

    def changes(self) -> Iterator[str]:
        """Give all that has changed in such a way."""
        if self.printed.anything():
            yield "it prints"
        if dict(os.environb) != self.environment:
            yield "it changes the environment"
        if os.getcwd() != self.folder:
            yield "it changes the working directory"
        if len(os.listdir("/proc/self/task")) > self.threads and not has_handled_threads():
            yield "it starts a thread"
        if has_children():
            yield "it starts a process"
        opened = descriptors().items() - self.descriptors.items()
        yield from (f"it opens {target}" for _, target in opened if target not in HARMLESS)
        if handlers() != self.handlers:
            yield "it changes signal handlers or the umask"


def adopt_orphans() -> None:
    """See processes that an import leaves behind, also when their parents have ended."""
    control(SUBREAPER, 1)


def has_children() -> bool:
    """Whether there is any child, alive or not yet reaped."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def has_handled_threads() -> bool:
    """Whether the only threads are those of libraries that know how to fork."""
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        return False
    with open("/proc/self/maps") as maps:
        text = maps.read()
    return any(it in text for it in HANDLED)


def descriptors() -> dict[str, str]:
    """Return what each descriptor of this process stands for."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
    return found


def handlers() -> list[object]:
    """Return the handlers of all signals, and what the kernel knows of them and of the mask of new files."""
    with open("/proc/self/status", "rb", buffering=0) as status:
        pairs = [line.split() for line in status.read(8192).splitlines()]
    known: list[object] = [int(it[1], 16) & ~OF_LIBC for it in pairs if it[0] in STATUS]
    return known + [signal.getsignal(number) for number in range(1, signal.NSIG)]
