"""The agent's loop: one task after the other for one worker, until that is gone."""

import gc
import os
import select
import signal
import sys

from .frames import ENDED, Gone, Link
from .preload import preload
from .sandbox import Sandbox
from .script import remember_baseline
from .spare import Spare, become_subreaper, drain


class Options:
    """How the worker wants it: `name=value` arguments."""

    def __init__(self, arguments):
        given = dict(it.split("=", 1) for it in arguments)
        self.link = given["link"]
        self.scratch_mib = int(given["scratch_mib"])
        self.shared_tmp = given["shared_tmp"] == "1"
        self.components = given["components"]
        self.nested = given["nested"] == "1"
        self.confined = given["confined"] == "1"
        self.portable = given["portable"] == "1"


class Agent:
    """Serves one worker over one socket."""

    def __init__(self, options):
        self.options = options
        self.nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.umask(0o022)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self.sandbox = Sandbox(options)
        self.sandbox.settle()
        self.wake, wake_in = os.pipe()
        self.private = [self.wake, wake_in]  # no task may have these
        for fd in self.private:
            os.set_blocking(fd, False)
        if not self.sandbox.nested:
            become_subreaper()
            signal.signal(signal.SIGCHLD, lambda *_: None)
            signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        self.link = Link(options.link)
        self.private.append(self.link.socket.fileno())
        if self.sandbox.nested:
            self.private.append(self.sandbox.own_pids)
        self.spare = None

    def serve(self):
        """Take one frame after the other until the worker is gone."""
        self.hello()
        gc.collect()
        gc.freeze()
        remember_baseline()
        self.refill()
        try:
            while True:
                kind, number, body, fds = self.link.take()
                if kind == b"R":
                    self.run(number, body, fds)
                elif kind == b"I":
                    self.preload(number, body)
        except Gone:
            self.abandon()

    def hello(self):
        """Say who is here."""
        facts = {
            "python": "" if self.options.portable else "%d.%d.%d" % sys.version_info[:3],
            "nested": "1" if self.sandbox.nested else "0",
            "why_not": self.sandbox.why_not,
        }
        self.link.send(b"H", 0, "\0".join("%s=%s" % it for it in facts.items()).encode())

    def run(self, number, body, fds):
        """Hand the task to the spare, wait for its end, reply; then make the next spare."""
        spare = self.spare
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
        self.refill()

    def reply(self, number, spare):
        """Tell how the task ended."""
        told = spare.told_by_task()
        if told[:1] == b"X":
            self.link.send(b"X", number, told[1:])
            return
        body = ENDED.pack(spare.status, spare.leftovers, *spare.usage)
        self.link.send(b"E", number, body + told[1:])

    def refill(self):
        """Put a fresh spare in the place of the one that was used."""
        if self.spare is not None:
            self.spare.close()
        drain(self.wake)
        self.spare = Spare(self.sandbox, self.nothing, self.wake, self.private)

    def preload(self, number, body):
        """Import modules, then fork the next spare with them."""
        names = [os.fsdecode(it) for it in body.split(b"\0") if it]
        self.spare.close()
        self.spare = None
        verdicts = preload(names)
        gc.collect()
        gc.freeze()
        self.refill()
        self.link.send(b"I", number, "\0".join("%s=%s" % it for it in verdicts).encode())

    def abandon(self):
        """Kill everything and exit: the worker is gone."""
        if self.spare is not None:
            self.spare.kill()
            if not self.sandbox.nested:
                self.spare.sweep()
        os._exit(0)


def main(arguments):
    """Be an agent; never returns."""
    Agent(Options(arguments)).serve()
