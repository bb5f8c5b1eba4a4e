"""One pre-forked child, for one task, seen from the agent: it waits in its own namespaces until the task comes."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import struct
import time

from .clearing import kill_others
from .frames import ENDED
from .orphans import PAUSE_S, kill, kill_children
from .sandbox import Sandbox
from .task import LENGTH, Task, usage_of
from .told import Told

PATIENCE_MS = 5  # for orphans that are about to end by themselves


class Spare:
    """A child that waits for a task, becomes it, and ends.

    In namespaces of its own it is two processes: the first of its pid namespace, which waits for the task, tells how
    that ended and takes everything with it when it exits; and the task. Without, it is the task alone, and the agent
    adopts and ends what the task leaves. No task gets the agent's `private` descriptors; `nothing` is its stdin.
    """

    def __init__(self, sandbox: Sandbox, nothing: int, wake: int, private: list[int]) -> None:
        self.nested = sandbox.nested
        self.confined = sandbox.options.confined
        self.wake = wake
        self.told = Told()
        self.channel, theirs = socket.socketpair()
        self.status: int | None = None
        self.leftovers = 0
        self.usage = [0, 0, 0]

        def live() -> None:
            self.channel.close()
            for fd in private:
                os.close(fd)
            task = Task(sandbox, theirs, self.told, nothing)
            if self.nested:
                task.live_nested()
            else:
                task.live()

        self.pid = sandbox.fork(live)
        theirs.close()

    def start(self, body: bytes, fds: list[int]) -> None:
        """Hand the task over."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
        data = LENGTH.pack(len(body)) + body
        try:
            sent = self.channel.sendmsg([data], rights)
            self.channel.sendall(data[sent:])
        except OSError:  # it died: `ended` tells how
            return

    def fileno(self) -> int:
        """Return the descriptor to poll for the task's end."""
        return self.channel.fileno() if self.nested else self.wake

    def is_gone(self) -> bool:
        """Whether it ended before any task came, such as for want of memory."""
        poll = select.poll()
        poll.register(self, select.POLLIN)
        return bool(poll.poll(0)) and self.ended()

    def ended(self) -> bool:
        """Look for the end: return whether nothing of the task is left."""
        if not self.nested:
            drain(self.wake)
            self.reap()
            if self.status is None:
                return False
            self.sweep()
            return True
        report = b""
        try:
            report = self.channel.recv(ENDED.size)
        except OSError:
            pass
        if len(report) == ENDED.size:
            self.status, self.leftovers, *self.usage = ENDED.unpack(report)
        if self.leftovers or self.status is None:
            self.collect()
        return True

    def kill(self) -> None:
        """Kill the task and all that it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:  # it has no session yet
            pass
        kill(self.pid)

    def close(self) -> None:
        """Free everything; ends the child if no task was handed over."""
        self.channel.close()
        self.told.close()
        if self.nested:
            self.collect()
        elif self.status is None:
            self.kill()
            while self.status is None:
                self.reap()
                time.sleep(PAUSE_S)

    def collect(self) -> None:
        """Wait for the first process of the namespace: with it everything in there is gone."""
        if self.pid:
            _, status, usage = os.wait4(self.pid, 0)
            self.pid = 0
            if self.status is None or self.leftovers:
                self.usage = usage_of(usage)
            if self.status is None:
                self.status = status if status & 127 else signal.SIGKILL

    def reap(self) -> bool:
        """Collect every child of the agent that has ended; tell whether any is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.count(usage)
            if pid == self.pid:
                self.status = status
            else:
                self.leftovers += 1

    def count(self, usage: resource.struct_rusage) -> None:
        """Add what a process has used."""
        user, system, peak = usage_of(usage)
        self.usage = [self.usage[0] + user, self.usage[1] + system, max(self.usage[2], peak)]

    def sweep(self) -> None:
        """Kill and reap all descendants of the agent.

        Being their subreaper, the agent becomes the parent of every orphan; only its own children are killed, whose
        numbers cannot have been given to anybody else, and theirs in the next round.
        """
        waiting = select.poll()
        waiting.register(self.wake, select.POLLIN)
        while self.reap():
            if waiting.poll(PATIENCE_MS):
                drain(self.wake)
                continue
            if self.confined:
                kill_others()
            kill_children()


def drain(fd: int) -> None:
    """Empty a non-blocking pipe."""
    try:
        while len(os.read(fd, 4096)) == 4096:
            pass
    except BlockingIOError:
        return
