"""One slot's agent: starts one program at a time for its worker and leaves nothing of it behind.

Run as `python -I -S -E agent.py FD`, FD being one end of a unix stream socket. It stands alone, on the standard
library's lightest modules, because every slot pays its memory and its start.

Frames, both ways: u32 length, one byte of kind, u64 number of the run, body. To the agent: `R` run (its descriptors
come with it: stdout, stderr, then whatever the program shall find as 3, 4, ...), `K` kill that run. Back: `E` ended
(body: wait status, leftovers, user and system time in us, peak RSS in KiB) and `X` could not be started (body: text).
An end of file means that the worker is gone: everything is killed and the agent exits.
"""

import ctypes
import fcntl
import gc
import os
import resource
import select
import signal
import socket
import struct
import sys

HEAD = struct.Struct("<IcQ")
ENDED = struct.Struct("<qqqqq")
KILLED_WITH_PARENT, NO_NEW_PRIVILEGES, SUBREAPER = 1, 38, 36
NEW_MOUNTS, BIND_ALL, PRIVATE_ALL = 0x20000, 0x1000 | 0x4000, 0x40000 | 0x4000
STAGE = "/mnt"
#: Signals that this interpreter or whoever started the worker may have set to be ignored, which a program inherits.
DEFAULTS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
LIBC = ctypes.CDLL(None, use_errno=True)


class Request:
    """What to start; `worker.runners.launch` writes the fields in this order."""

    def __init__(self, body: bytes) -> None:
        head, cwd, *rest = body.split(b"\0")
        counts = [int(number) for number in head.split()]
        arguments, variables, staged, self.uid, self.file_bytes, self.processes, self.data_bytes = counts
        self.cwd = cwd
        self.argv = rest[:arguments]
        self.env = dict(pair.split(b"=", 1) for pair in rest[arguments : arguments + variables])
        self.staged = rest[arguments + variables :][:staged]


class Agent:
    """Serves one worker over one socket."""

    def __init__(self, fd: int) -> None:
        self.link = socket.socket(fileno=fd)
        self.link.set_inheritable(False)
        self.buffer = b""
        self.fds: list[int] = []
        self.nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.wake, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Children put their own descriptors at 0, 1, 2, 3, ...: what they still need must lie above.
        self.excuse, excuse_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.excuse_in = fcntl.fcntl(excuse_in, fcntl.F_DUPFD_CLOEXEC, 64)
        os.close(excuse_in)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(0o022)
        check(LIBC.prctl(SUBREAPER, 1, 0, 0, 0))
        self.poll = select.poll()
        self.poll.register(self.link, select.POLLIN)
        self.poll.register(self.wake, select.POLLIN)
        self.main = 0
        self.status = self.leftovers = 0
        self.usage = [0, 0, 0]

    def serve(self) -> None:
        """Take one run after the other until the worker is gone."""
        while True:
            kind, number, body = self.take_frame()
            if kind == b"R":
                fds, self.fds = self.fds, []
                self.run(number, Request(body), fds)

    def run(self, number: int, request: Request, fds: list[int]) -> None:
        """Start the program, wait for its end, end whatever it left, reply."""
        self.status, self.leftovers, self.usage = 0, -1, [0, 0, 0]
        self.main = os.fork()
        if self.main == 0:
            self.become(request, fds)
        for fd in fds:
            os.close(fd)
        while self.main:
            self.await_event(number)
        self.sweep()
        try:
            self.reply(b"X", number, os.read(self.excuse, 4096))
        except BlockingIOError:
            self.reply(b"E", number, ENDED.pack(self.status, self.leftovers, *self.usage))

    def await_event(self, number: int) -> None:
        """Wait for a child's end or a word of the worker, and act on it."""
        for fd, _ in self.poll.poll():
            if fd == self.wake:
                drain(self.wake)
                self.reap()
            else:
                kind, target, _body = self.take_frame()
                if kind == b"K" and target == number and self.main:
                    self.kill_main()

    def kill_main(self) -> None:
        """Kill the program and its process group; its leader is not reaped yet, so the number is still its own."""
        for kill in (os.killpg, os.kill):
            try:  # noqa: SIM105 - contextlib is memory in every slot
                kill(self.main, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def reap(self) -> bool:
        """Collect every child that has ended; tell whether any is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.leftovers += 1
            user, system, peak = self.usage
            user, system = user + int(usage.ru_utime * 1e6), system + int(usage.ru_stime * 1e6)
            self.usage = [user, system, max(peak, usage.ru_maxrss)]
            if pid == self.main:
                self.main, self.status = 0, status

    def sweep(self) -> None:
        """Kill and reap all descendants.

        Being their subreaper, the agent becomes the parent of every orphan; only its own children are killed, whose
        numbers cannot have been given to anybody else, and theirs in the next round.
        """
        patience_ms = 5  # a sandbox that lost its head dies by itself, sooner than /proc can be read
        while self.reap():
            waiting = select.poll()
            waiting.register(self.wake, select.POLLIN)
            if waiting.poll(patience_ms):
                drain(self.wake)
                continue
            for pid in children():
                os.kill(pid, signal.SIGKILL)

    def become(self, request: Request, fds: list[int]) -> None:
        """Turn this forked child into the requested program; never returns."""
        try:
            agent = os.getppid()
            os.setsid()
            for number in DEFAULTS:
                signal.signal(number, signal.SIG_DFL)
            limit(request)
            if request.staged:
                stage(request.staged)
            for target, fd in enumerate([self.nothing, *fds]):
                os.dup2(fd, target)
            if request.uid >= 0:
                drop_to(request.uid)
            check(LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
            check(LIBC.prctl(KILLED_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0))
            if os.getppid() != agent:
                os._exit(1)
            os.chdir(request.cwd)
            os.execve(request.argv[0], request.argv, request.env)
        except BaseException as error:  # noqa: BLE001 - a forked child must never return
            os.write(self.excuse_in, f"{type(error).__name__}: {error}".encode()[:4096])
        os._exit(127)

    def take_frame(self) -> tuple[bytes, int, bytes]:
        """Return the next frame; without a worker, end everything and exit."""
        while True:
            if len(self.buffer) >= HEAD.size:
                length, kind, number = HEAD.unpack_from(self.buffer)
                if len(self.buffer) >= HEAD.size + length:
                    body = self.buffer[HEAD.size : HEAD.size + length]
                    self.buffer = self.buffer[HEAD.size + length :]
                    return kind, number, body
            try:
                data, ancillary, _, _ = self.link.recvmsg(
                    1 << 16, socket.CMSG_SPACE(4 * 16), socket.MSG_CMSG_CLOEXEC
                )
            except ConnectionError:
                data = b""
            if not data:
                self.abandon()
            self.buffer += data
            for _, _, packed in ancillary:
                self.fds += struct.unpack(f"{len(packed) // 4}i", packed)

    def reply(self, kind: bytes, number: int, body: bytes) -> None:
        """Send one frame to the worker."""
        try:
            self.link.sendall(HEAD.pack(len(body), kind, number) + body)
        except ConnectionError:
            self.abandon()

    def abandon(self) -> None:
        """Kill everything and exit: the worker is gone."""
        if self.main:
            self.kill_main()
        self.sweep()
        os._exit(0)


def limit(request: Request) -> None:
    """Set this process's resource limits and offer it first to the out-of-memory killer."""
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
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
        score.write(b"1000")


def stage(sources: list[bytes]) -> None:
    """Show the sources as /mnt/0, /mnt/1, ... in a mount namespace of this process's own.

    The user that the program runs as may not be able to walk to them, when a folder above is private to root.
    """
    check(LIBC.unshare(NEW_MOUNTS))
    check(LIBC.mount(None, b"/", None, PRIVATE_ALL, None))
    opened = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source in sources]
    check(LIBC.mount(b"stage", STAGE.encode(), b"tmpfs", 0, b"mode=0755"))
    for index, fd in enumerate(opened):
        target = f"{STAGE}/{index}"
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            os.mkdir(target)
        else:
            os.mknod(target)
        check(LIBC.mount(b"/proc/self/fd/%d" % fd, target.encode(), None, BIND_ALL, None))


def drop_to(uid: int) -> None:
    """Become that user and group for good, with no other groups."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def children() -> list[int]:
    """Return the process numbers of this process's children."""
    me, found = b"%d" % os.getpid(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb", buffering=0) as stat:
                    parent = stat.read(512).rpartition(b")")[2].split()[1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == me:
                found.append(int(name))
    return found


def drain(fd: int) -> None:
    """Empty a non-blocking pipe."""
    try:
        while len(os.read(fd, 4096)) == 4096:
            pass
    except BlockingIOError:
        pass


def check(result: int) -> None:
    """Raise the C library's error when a call returned one."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    gc.disable()  # nothing here makes cycles, and a collection after a fork would copy every page
    Agent(int(sys.argv[1])).serve()
