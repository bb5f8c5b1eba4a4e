"""One pre-forked child, for one task, seen from itself: nothing here goes on once the task has ended."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import struct

from .frames import RECEIVED_BYTES, Gone, Request, receive
from .kernel import KILLED_WITH_PARENT, control
from .sandbox import Sandbox
from .script import rehearse, run_script
from .told import Told

TYPE_CHECKING = False
if TYPE_CHECKING:  # every slot would pay for the module
    from typing import NoReturn

LENGTH = struct.Struct("<I")
#: Descriptors in flight are counted for all of a user's processes together, against the limit of whoever sends: with
#: less than the agents have, tasks can't keep them from sending.
MOST_FILES = 4096
BUSY_MS = 5  # in which a worker that has more tasks hands over the next
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class Task:
    """The child, in its own eyes."""

    def __init__(self, sandbox: Sandbox, channel: socket.socket, told: Told, nothing: int) -> None:
        self.sandbox = sandbox
        self.channel = channel
        self.told = told
        self.nothing = nothing
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def live(self) -> NoReturn:
        """Wait for the task, become it."""
        try:
            os.setsid()
            if self.sandbox.nested:
                self.sandbox.nest()
            else:
                control(KILLED_WITH_PARENT, int(signal.SIGKILL))
            with open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
                score.write(b"1000")
            self.sandbox.renounce()
            for number in IGNORED_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            if not self.is_called_within(BUSY_MS):
                rehearse()
            request, fds = self.receive()
            self.become(request, fds)
        except Gone:
            os._exit(0)
        except BaseException as error:
            self.excuse(error)
        finally:
            os._exit(127)

    def is_called_within(self, wait_ms: int) -> bool:
        """Whether the task is there already, or comes at once, as it does while one follows the other."""
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        return bool(poll.poll(wait_ms))

    def receive(self) -> tuple[Request, list[int]]:
        """Wait for the task's request."""
        data, received = bytearray(), bytearray(RECEIVED_BYTES)
        fds: list[int] = []
        while len(data) < LENGTH.size or len(data) - LENGTH.size < LENGTH.unpack_from(data)[0]:
            size, more_fds = receive(self.channel, received)
            data += memoryview(received)[:size]
            fds += more_fds
        return Request(bytes(data[LENGTH.size :])), fds

    def become(self, request: Request, fds: list[int]) -> NoReturn:
        """Bound this process, take all that is the agent's away from it, then run the script in it."""
        limit(request)
        self.sandbox.show_only(request.component)
        self.channel.close()
        for target, fd in enumerate([self.nothing, *fds]):
            os.dup2(fd, target)
        for fd in (self.nothing, *fds):
            if fd > 2:
                os.close(fd)
        env = dict(os.environb)
        env.update(request.env)
        os.chdir(request.cwd)
        self.sandbox.confine()
        if not request.python:
            execute(request.argv, env)
        for number in IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run_script(os.fsdecode(request.argv[-1]), env, os.fsdecode(request.component), self.told)

    def excuse(self, error: BaseException) -> None:
        """Tell why the task could not be started."""
        self.told.tell(b"X", f"{type(error).__name__}: {error}"[:4096].encode("utf-8", "replace"))


def execute(argv: list[bytes], env: dict[bytes, bytes]) -> NoReturn:
    """Execute a program, looked up in PATH unless a path is given; raises OSError where that fails."""
    path = argv[0]
    if b"/" not in path:
        places = [it + b"/" + path for it in env.get(b"PATH", os.defpath.encode()).split(b":") if it]
        found = [it for it in places if os.access(it, os.X_OK)]
        if not found:
            raise FileNotFoundError(f"there is no {os.fsdecode(path)} here")
        path = found[0]
    os.execve(path, argv, env)


def limit(request: Request) -> None:
    """Set this process's resource limits."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = min(MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    for kind, value in (
        (resource.RLIMIT_FSIZE, request.file_bytes),
        (resource.RLIMIT_NPROC, request.processes),
        (resource.RLIMIT_DATA, request.data_bytes),
    ):
        if value > 0:
            hard = resource.getrlimit(kind)[1]
            bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (bound, bound))


def usage_of(usage: resource.struct_rusage) -> list[int]:
    """Return user and system time in us, and peak RSS in KiB."""
    return [int(usage.ru_utime * 1e6), int(usage.ru_stime * 1e6), usage.ru_maxrss]
