"""One pre-forked child, for one task: it waits in its own namespaces until the task comes."""

import os
import resource
import select
import signal
import socket
import struct
import time

from .frames import Gone, Request, receive
from .kernel import KILLED_WITH_PARENT, SUBREAPER, control
from .script import rehearse, run_script

REPORT = struct.Struct("<qqqqq")
TOLD_BYTES = 1 << 16
PATIENCE_MS = 5  # for orphans that are about to end by themselves
#: Signals that this interpreter or whoever started the worker may have set otherwise, which a program inherits.
DEFAULTS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTERM,
)


class Spare:
    """The child, seen from the agent.

    In namespaces of its own it is two processes: the first of its pid namespace, which waits for the task, tells how
    that ended and takes everything with it when it exits; and the task. Without, it is the task alone, and the agent
    adopts and ends what the task leaves.
    """

    def __init__(self, sandbox, nothing, wake, private):
        self.nested = sandbox.nested
        self.wake = wake
        self.channel, theirs = socket.socketpair()
        self.told, tell = os.pipe()
        self.pid = sandbox.fork()
        if self.pid == 0:
            try:
                self.channel.close()
                for fd in (self.told, *private):
                    os.close(fd)
                task = Task(sandbox, theirs, tell, nothing)
                (task.live_nested if self.nested else task.live)()
            finally:
                os._exit(127)
        theirs.close()
        os.close(tell)
        os.set_blocking(self.told, False)
        self.status = None
        self.leftovers = 0
        self.usage = [0, 0, 0]

    def start(self, body, fds):
        """Hand the task over."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("%di" % len(fds), *fds))]
        data = struct.pack("<I", len(body)) + body
        try:
            sent = self.channel.sendmsg([data], rights)
            self.channel.sendall(data[sent:])
        except OSError:  # it died: `ended` tells how
            return

    def fileno(self):
        """The descriptor to poll for the task's end."""
        return self.channel.fileno() if self.nested else self.wake

    def ended(self):
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
            report = self.channel.recv(REPORT.size)
        except OSError:
            pass
        if len(report) == REPORT.size:
            self.status, self.leftovers, *self.usage = REPORT.unpack(report)
        if self.leftovers or self.status is None:
            self.collect()
        return True

    def told_by_task(self):
        """Return what the task itself told: b"X" and why it could not start, or b"M" and its modules."""
        try:
            return os.read(self.told, TOLD_BYTES)
        except OSError:
            return b""

    def kill(self):
        """Kill the task and all that it started."""
        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except OSError:
                pass

    def close(self):
        """Free everything; ends the child if no task was handed over."""
        self.channel.close()
        os.close(self.told)
        if self.nested:
            self.collect()
        elif self.status is None:
            self.kill()
            while self.status is None:
                self.reap()
                time.sleep(0.0005)

    def collect(self):
        """Wait for the first process of the namespace: with it everything in there is gone."""
        if self.pid:
            _, status, usage = os.wait4(self.pid, 0)
            self.pid = 0
            if self.status is None or self.leftovers:
                self.usage = usage_of(usage)
            if self.status is None:
                self.status = status if status & 127 else signal.SIGKILL

    def reap(self):
        """Collect every child of the agent that has ended; tell whether any is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            user, system, peak = usage_of(usage)
            self.usage = [self.usage[0] + user, self.usage[1] + system, max(self.usage[2], peak)]
            if pid == self.pid:
                self.status = status
            else:
                self.leftovers += 1

    def sweep(self):
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
            for pid in children():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass


class Task:
    """The child, seen from itself; no method here returns."""

    def __init__(self, sandbox, channel, tell, nothing):
        self.sandbox = sandbox
        self.channel = channel
        self.tell = tell
        self.nothing = nothing
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def live_nested(self):
        """Be the first process of a pid namespace: fork the task, tell how it ended, take everything along."""
        try:
            os.setsid()
            self.sandbox.nest()
            task = os.fork()
            if task == 0:
                self.live()
            os.close(self.tell)
            leftovers = 0
            while True:
                pid, status, usage = os.wait4(-1, 0)
                if pid == task:
                    break
            try:
                os.waitpid(-1, os.WNOHANG)
                leftovers = 1
            except ChildProcessError:
                pass
            usage = usage_of(resource.getrusage(resource.RUSAGE_CHILDREN))
            self.channel.send(REPORT.pack(status, leftovers, *usage))
        except BaseException as error:
            self.excuse(error)
        finally:
            os._exit(0)

    def live(self):
        """Wait for the task, become it."""
        try:
            os.setsid()
            if not self.sandbox.nested:
                control(KILLED_WITH_PARENT, int(signal.SIGKILL))
            with open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
                score.write(b"1000")
            self.sandbox.renounce()
            for number in DEFAULTS:
                signal.signal(number, signal.SIG_DFL)
            rehearse()
            request, fds = self.receive()
            self.channel.close()
            self.become(request, fds)
        except Gone:
            os._exit(0)
        except BaseException as error:
            self.excuse(error)
        finally:
            os._exit(127)

    def receive(self):
        """Wait for the task's request."""
        data, fds = receive(self.channel)
        while len(data) < 4 or len(data) - 4 < struct.unpack_from("<I", data)[0]:
            more, more_fds = receive(self.channel)
            data, fds = data + more, fds + more_fds
        return Request(data[4:]), fds

    def become(self, request, fds):
        """Bound this process, then run the script in it."""
        limit(request)
        self.sandbox.show_only(request.component)
        for target, fd in enumerate([self.nothing] + fds):
            os.dup2(fd, target)
        for fd in fds:
            if fd > 2:
                os.close(fd)
        env = dict(os.environb)
        env.update(request.env)
        os.chdir(request.cwd)
        self.sandbox.confine()
        if request.python:
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            run_script(os.fsdecode(request.argv[-1]), env, os.fsdecode(request.component), self.tell)
        execute(request.argv, env)

    def excuse(self, error):
        """Tell why the task could not be started."""
        os.write(self.tell, ("X%s: %s" % (type(error).__name__, error)).encode("utf-8", "replace")[:4096])


def execute(argv, env):
    """Execute a program, looked up in PATH unless a path is given."""
    path = argv[0]
    if b"/" not in path:
        places = [it + b"/" + path for it in env.get(b"PATH", os.defpath.encode()).split(b":") if it]
        found = [it for it in places if os.access(it, os.X_OK)]
        if not found:
            raise FileNotFoundError("there is no %s here" % os.fsdecode(path))
        path = found[0]
    os.execve(path, argv, env)


def limit(request):
    """Set this process's resource limits."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, value in (
        (resource.RLIMIT_FSIZE, request.file_bytes),
        (resource.RLIMIT_NPROC, request.processes),
        (resource.RLIMIT_DATA, request.data_bytes),
    ):
        if value > 0:
            hard = resource.getrlimit(kind)[1]
            bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (bound, bound))


def become_subreaper():
    """Adopt the orphans among all descendants."""
    control(SUBREAPER, 1)


def usage_of(usage):
    """Return user and system time in us, and peak RSS in KiB."""
    return [int(usage.ru_utime * 1e6), int(usage.ru_stime * 1e6), usage.ru_maxrss]


def children():
    """Return the process numbers of this process's children."""
    me, found = b"%d" % os.getpid(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb", buffering=0) as stat:
                    parent = stat.read(512).rpartition(b")")[2].split()[1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == me:
                found.append(int(name))
    return found


def drain(fd):
    """Empty a non-blocking pipe."""
    try:
        while len(os.read(fd, 4096)) == 4096:
            pass
    except BlockingIOError:
        pass
