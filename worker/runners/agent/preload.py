"""Importing ahead: what tasks will import anyway is imported once, before they are forked.

Each module is first imported in a child, so that one that crashes, hangs or leaves something behind that tasks must not
share — a thread, an open file, a changed environment — does no harm here.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable

from .orphans import end_children
from .traces import Printed, Traces, adopt_orphans

MOST_S = 15.0
MOST_LETTERS = 200
TICK_S = 0.05
BEGAN, DONE, HARMFUL = b"+", b"=", b"!"


def preload(
    names: list[str], fork: Callable[[Callable[[], None]], int], within_s: float = MOST_S
) -> list[tuple[str, str]]:
    """Import what can be imported without harm; return pairs of a name and why it was refused, "" where it was not.

    A module that does harm ends its trial, and the next one goes on without it; `fork` starts a trial.
    """
    deadline = time.monotonic() + within_s
    verdicts: dict[str, str] = {}
    harmful: set[str] = set()
    while True:
        left = [it for it in dict.fromkeys(names) if it not in verdicts and it not in sys.modules]
        if not left or time.monotonic() >= deadline:
            break
        trial = Trial(left, harmful, verdicts)
        trial.hold(fork, deadline)
        for name in left:
            if verdicts.get(name) == "":
                verdicts[name] = bring(name)
    return [(it, verdicts.get(it, "" if it in sys.modules else "no time was left")) for it in names]


class Trial:
    """One child that imports one module after the other, until one does harm."""

    def __init__(self, names: list[str], harmful: set[str], verdicts: dict[str, str]) -> None:
        self.names = names
        self.harmful = harmful
        self.verdicts = verdicts

    def hold(self, fork: Callable[[Callable[[], None]], int], deadline: float) -> None:
        """Import the names in a child and note what becomes of each."""
        heard, told = os.pipe()

        def live() -> None:
            os.close(heard)
            self.rehearse(told)
            os._exit(0)

        child = fork(live)
        os.close(told)
        try:
            lines = listen(heard, child, deadline)
        finally:
            os.close(heard)
            end_children()
        began = None
        for line in lines:
            mark, number, reason = line[:1], *line[1:].partition(b" ")[::2]
            name = self.names[int(number)]
            began = name if mark == BEGAN else None
            if mark != BEGAN:
                self.verdicts[name] = reason.decode("utf-8", "replace")
            if mark == HARMFUL:
                self.harmful.add(name)
        if began is not None:
            late = time.monotonic() >= deadline
            self.verdicts[began] = "its import takes too long" if late else "its import ends the process"
            self.harmful.add(began)

    def rehearse(self, told: int) -> None:
        """In the child: import and look, up to the first module that does harm."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        adopt_orphans()
        process = os.getpid()
        printed = Printed()
        guard = Guard(self.harmful)
        sys.meta_path.insert(0, guard)
        for number, name in enumerate(self.names):
            os.write(told, b"%s%d\n" % (BEGAN, number))
            before = Traces(printed)
            reason = bring(name)
            if os.getpid() != process:  # the module has forked
                return
            change = f"it imports {guard.touched}" if guard.touched else before.changed()
            words = plain(change or reason).encode()
            os.write(told, b"%s%d %s\n" % (HARMFUL if change else DONE, number, words))
            if change:
                return


class Guard:
    """Tells when a module that does harm would be imported by another, which then does harm itself."""

    def __init__(self, harmful: set[str]) -> None:
        self.harmful = harmful
        self.touched = ""

    def find_spec(self, name: str, *_: object) -> None:
        """Find nothing, like a finder that leaves it to the next one, save for what does harm."""
        if name in self.harmful:
            self.touched = name
            raise ImportError(name)


def bring(name: str) -> str:
    """Import a module; return why that failed, or ""."""
    try:
        importlib.import_module(name)
    except BaseException as error:  # a module may raise anything
        try:
            return plain(f"{type(error).__name__}: {error}")
        except BaseException:
            return type(error).__name__
    return ""


def plain(text: str) -> str:
    """Return a text as one line that can be sent."""
    return " ".join(text.replace("\0", " ").split())[:MOST_LETTERS].encode("utf-8", "replace").decode()


def listen(fd: int, child: int, deadline: float) -> list[bytes]:
    """Return the whole lines that come until the child or the time has ended; what it leaves may hold the pipe open."""
    data = b""
    while True:
        over = time.monotonic() >= deadline or has_ended(child)
        ready, _, _ = select.select([fd], [], [], 0 if over else TICK_S)
        more = os.read(fd, 1 << 16) if ready else b""
        data += more
        if not more and (ready or over):
            return data.split(b"\n")[:-1]


def has_ended(child: int) -> bool:
    """Whether a child is waiting to be reaped."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
