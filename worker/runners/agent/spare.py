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
from .orphans import PAUSE_S, has_children, kill, kill_children
from .sandbox import Sandbox
from .task import LENGTH, Task, usage_of
from .told import Told

PATIENCE_MS = 5  # for orphans that are about to end by themselves


class Spare:
    """A child that waits for a task, becomes it, and ends.

    With namespaces of its own it is the second process of its pid namespace, whose `first` sleeps: when the task has
    ended the first is killed, and the kernel takes along what is left. Without, the agent adopts and ends what the task
    leaves. No task gets the agent's `private` descriptors; `nothing` is its stdin.
    """

    def __init__(self, sandbox: Sandbox, nothing: int, wake: int, private: list[int]) -> None:
        self.nested, self.confined = sandbox.nested, sandbox.options.confined
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
            Task(sandbox, theirs, self.told, nothing).live()

        self.first, self.pid = sandbox.fork_second(live)
        theirs.close()

    def start(self, body: bytearray, fds: list[int]) -> None:
        """Hand the task over, and forget what it is."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
        try:
            sent = self.channel.sendmsg([LENGTH.pack(len(body)), body], rights)
            if sent < LENGTH.size + len(body):
                self.channel.sendall(memoryview(body)[sent - LENGTH.size :])
        except (BrokenPipeError, ConnectionResetError):  # it died: `ended` tells how
            return
        finally:
            body[:] = bytes(len(body))

    def fileno(self) -> int:
        """Return the descriptor to poll for the task's end."""
        return self.wake

    def is_gone(self) -> bool:
        """Whether it ended before any task came, such as for want of memory."""
        poll = select.poll()
        poll.register(self, select.POLLIN)
        return bool(poll.poll(0)) and self.ended()

    def ended(self) -> bool:
        """Look for the end; return whether there was one, and then nothing of the task is left."""
        drain(self.wake)
        self.reap()
        if self.status is None:
            return False
        if self.first:
            self.leftovers += has_children(self.first)
            self.end_namespace()
        elif not self.nested:
            self.sweep()
        return True

    def kill(self) -> None:
        """Kill the task and all that it started."""
        if self.first:
            kill(self.first)
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:  # it has no session yet
            pass
        kill(self.pid)

    def close(self) -> None:
        """Free everything; ends the child if no task was handed over."""
        self.channel.close()
        self.told.close()
        if self.status is None:
            self.kill()
            while self.status is None:
                self.reap()
                time.sleep(PAUSE_S)
        if self.first:
            self.end_namespace()

    def end_namespace(self) -> None:
        """Kill the namespace's first process and reap it: with it everything in there is gone."""
        kill(self.first)
        while self.first:
            self.reap(0)

    def reap(self, options: int = os.WNOHANG) -> bool:
        """Collect every child of the agent that has ended; tell whether any is left. Options 0 waits for one."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, options)
            except ChildProcessError:
                self.first = 0
                return False
            if pid == 0:
                return True
            options = os.WNOHANG
            if pid == self.first:
                self.first = 0  # its peak is the agent's, whose memory it shared
                continue
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
