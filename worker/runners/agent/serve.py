"""The agent's loop: one task after the other for one worker, until that is gone."""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import sys
from collections.abc import Iterable

from .frames import ENDED, Gone, Link
from .kernel import flush_streams
from .options import Options
from .preload import preload
from .sandbox import Sandbox
from .script import remember_baseline
from .spare import Spare, drain

TYPE_CHECKING = False
if TYPE_CHECKING:  # every slot would pay for the module
    from typing import NoReturn

ALWAYS_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # by every Python
UNSETTABLE = (signal.SIGKILL, signal.SIGSTOP)


class Agent:
    """Serves one worker over one socket."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.umask(0o022)
        reset_signals()
        most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
        self.sandbox = Sandbox(options)
        self.sandbox.settle()
        self.wake, wake_in = os.pipe()
        self.private = [self.wake, wake_in]  # no task may have these
        for fd in self.private:
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        self.link = Link(options.link)
        self.private.append(self.link.socket.fileno())
        if self.sandbox.nested:
            self.private.append(self.sandbox.own_pids)
        self.spare: Spare | None = None

    def serve(self) -> NoReturn:
        """Take one frame after the other until the worker is gone; whatever happens, nothing is left behind."""
        status = 1
        try:
            self.hello()
            settle_memory()
            self.fresh_spare()
            while True:
                kind, number, body, fds = self.link.take()
                if kind == b"R":
                    self.run(number, body, fds)
                elif kind == b"I":
                    self.preload(number, body)
        except Gone:
            status = 0
        except BaseException:
            sys.__excepthook__(*sys.exc_info())
        finally:
            try:
                self.abandon()
            finally:
                os._exit(status)

    def hello(self) -> None:
        """Say who is here."""
        version = "{}.{}.{}".format(*sys.version_info)
        facts = {
            "python": "" if self.options.portable else version,
            "nested": "1" if self.sandbox.nested else "0",
            "why_not": self.sandbox.why_not,
        }
        self.link.send(b"H", 0, "\0".join(f"{name}={it}" for name, it in facts.items()).encode())

    def run(self, number: int, body: bytearray, fds: list[int]) -> None:
        """Hand the task to the spare, wait for its end, reply; then make the next spare."""
        spare = self.spare
        if spare is None or spare.is_gone():
            spare = self.fresh_spare()
        spare.start(body, fds)
        for fd in fds:
            os.close(fd)
        poll = select.poll()
        poll.register(self.link.socket, select.POLLIN)
        poll.register(spare, select.POLLIN)
        over = False
        while not over:
            for fd, _ in poll.poll():
                if fd == spare.fileno():
                    over = spare.ended()
                    break
                kind, target, _, _ = self.link.take()
                if kind == b"K" and target == number:
                    spare.kill()
        self.reply(number, spare)
        self.fresh_spare()

    def reply(self, number: int, spare: Spare) -> None:
        """Tell how the task ended."""
        kind, text = spare.told.heard()
        if kind == b"X":
            self.link.send(b"X", number, text)
        else:
            self.link.send(b"E", number, ENDED.pack(spare.status, spare.leftovers, *spare.usage) + text)

    def fresh_spare(self) -> Spare:
        """Put a fresh spare in the place of the one that was used."""
        self.drop_spare()
        self.sandbox.clear()
        drain(self.wake)
        self.spare = Spare(self.sandbox, self.nothing, self.wake, self.private)
        return self.spare

    def drop_spare(self) -> None:
        """End the spare, if there is one."""
        if self.spare is not None:
            self.spare.close()
            self.spare = None

    def preload(self, number: int, body: bytearray) -> None:
        """Import modules, then fork the next spare with them."""
        self.drop_spare()
        names = [it.decode("utf-8", "surrogateescape") for it in body.split(b"\0") if it]
        verdicts = preload(names, self.sandbox.fork)
        sys.stdout.flush()  # else every task would print it
        flush_streams()
        settle_memory()
        self.fresh_spare()
        told = "\0".join(f"{name}={why_not}" for name, why_not in verdicts)
        self.link.send(b"I", number, told.encode("utf-8", "surrogateescape"))

    def abandon(self) -> None:
        """Kill everything that is left of a task."""
        if self.spare is not None:
            self.spare.kill()
            if not self.sandbox.nested:
                self.spare.sweep()


def reset_signals() -> None:
    """Block none, and handle none in another way than every program does at its start.

    Neither does the agent itself handle SIGINT, which as the first process of a container it is then safe from.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        if number not in ALWAYS_IGNORED + UNSETTABLE:
            signal.signal(number, signal.SIG_DFL)


def settle_memory() -> None:
    """Let no collection in a task touch, and so copy, what is the agent's."""
    remember_baseline()
    gc.collect()
    gc.freeze()


def main(arguments: Iterable[str]) -> NoReturn:
    """Be an agent."""
    Agent(Options(arguments)).serve()
