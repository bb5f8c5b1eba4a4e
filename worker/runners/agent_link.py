"""The worker's end of the wire to one agent: send it runs and kills, read its replies; `agent.frames` is the other.

Sends are the caller's to order: one thread at a time.
"""

import array
import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from gridloom.errors import RunnerFailed
from worker.runners.rlimits import Rlimits

HEAD = struct.Struct("<IcQ")
ENDED = struct.Struct("<qqqqq")
CREDENTIALS = struct.Struct("3i")
#: The agent's program: show it to its sandbox, start its `__main__.py`.
AGENT = Path(__file__).with_name("agent")
SOCKET_NAME = "agent.sock"
TICK_S = 0.05
HELLO_S = 20.0
LAST_WORDS_S = 2.0
LONGEST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """How an agent sets up its tasks.

    `scratch_mib` bounds a task's /tmp; with `shared_tmp` tasks use the sandbox's own. `components` is the folder in
    which each task sees only its own component. `nested` asks for namespaces of a task's own, `confined` for a
    seccomp filter; `portable` says that the interpreter is the worker's, so that Python scripts need another.
    """

    scratch_mib: int
    shared_tmp: bool = False
    components: str = ""
    nested: bool = True
    confined: bool = True
    portable: bool = False


def arguments(agent_folder: str, link: str, options: AgentOptions) -> tuple[str, ...]:
    """Return what follows the interpreter in an agent's command; `link` is `fd:<number>` or a socket's path there."""
    return (
        f"{agent_folder}/__main__.py",
        f"link={link}",
        f"scratch_mib={options.scratch_mib}",
        f"shared_tmp={options.shared_tmp:d}",
        f"components={options.components}",
        f"nested={options.nested:d}",
        f"confined={options.confined:d}",
        f"portable={options.portable:d}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """How an agent introduces itself: its Python's version ("" when scripts can't run in it), and whether tasks get
    namespaces of their own, or why not."""

    python: str
    nested: bool
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What an agent is asked to run; with `python` the last argument is a script for a fork of the agent itself."""

    cwd: str
    component: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    python: bool
    rlimits: Rlimits

    def encode(self) -> bytes:
        """Return the body of a run frame; `agent.frames.Request` reads it.

        Raises:
            ValueError: when a field holds a NUL.
        """
        variables = [f"{name}={value}" for name, value in self.env.items()]
        fields = [self.cwd, self.component, *self.argv, *variables]
        if any("\0" in field for field in fields):
            raise ValueError("arguments and variables can't hold NUL")
        limits = self.rlimits
        numbers = (len(self.argv), int(self.python), limits.file_bytes, limits.processes, limits.data_bytes)
        return "\0".join([" ".join(map(str, numbers)), *fields]).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the agent says at the end of a run; `refusal` tells why the program could not be started at all."""

    number: int
    status: int = 0
    leftovers: int = 0
    cpu_s: float = 0.0
    peak_memory_mib: float = 0.0
    refusal: str = ""
    modules: tuple[str, ...] = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: bytes, number: int, body: bytes) -> Self:
        """Read the reply out of a frame.

        Raises:
            RunnerFailed: when it makes no sense: the agent may run on an interpreter that lies.
        """
        try:
            if kind == b"X":
                return cls(number=number, refusal=body.decode("utf-8", "replace"))
            if kind == b"I":
                return cls(number=number, verdicts=dict(it.split("=", 1) for it in _texts(body)))
            status, leftovers, user_us, system_us, peak_kib = ENDED.unpack_from(body)
            os.waitstatus_to_exitcode(status)
            return cls(
                number=number,
                status=status,
                leftovers=leftovers,
                cpu_s=(user_us + system_us) / 1e6,
                peak_memory_mib=peak_kib / 1024,
                modules=_texts(body[ENDED.size :]),
            )
        except (struct.error, ValueError, OverflowError) as error:
            raise RunnerFailed(f"the agent's answer makes no sense: {error}") from error


class AgentLink:
    """The socket to one agent; `pid` is its process as this worker sees it, 0 when that can't be told."""

    def __init__(self, connection: socket.socket, pid: int = 0) -> None:
        self._socket = connection
        self._buffer = b""
        self.pid = pid
        self.hello = Hello(python="", nested=False, why_not="")

    @classmethod
    def greeted(
        cls, connection: socket.socket, pid: int, timeout_s: float, trouble: Callable[[], str]
    ) -> Self:
        """Return the link once the agent has said hello; `trouble` tells why it won't, "" as long as it may.

        Raises:
            RunnerFailed: when it does not come.
        """
        link = cls(connection, pid)
        deadline = time.monotonic() + timeout_s
        while (frame := link._frame()) is None:
            wait_for(connection, deadline, trouble)
            try:
                data, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(CREDENTIALS.size))
            except OSError:
                data, ancillary = b"", []
            if not data:
                raise RunnerFailed(last_words(trouble) or "the agent ended before it said hello")
            link._buffer += data
            for level, kind, packed in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    link.pid = CREDENTIALS.unpack(packed[: CREDENTIALS.size])[0]
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        link.hello = _hello(frame[2])
        return link

    def fileno(self) -> int:
        """Return the socket's descriptor, for polling."""
        return self._socket.fileno()

    def send_run(self, number: int, body: bytes, fds: Sequence[int]) -> None:
        """Ask for a run; the agent gets copies of the descriptors.

        Raises:
            RunnerFailed: when the agent is gone.
        """
        frame = HEAD.pack(len(body), b"R", number) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        try:
            sent = self._socket.sendmsg([frame], rights)
            self._socket.sendall(frame[sent:])
        except OSError as error:
            raise self._gone() from error

    def send_preload(self, number: int, modules: Sequence[str]) -> None:
        """Ask for modules to be imported.

        Raises:
            RunnerFailed: when the agent is gone.
        """
        body = "\0".join(modules).encode()
        try:
            self._socket.sendall(HEAD.pack(len(body), b"I", number) + body)
        except OSError as error:
            raise self._gone() from error

    def send_kill(self, number: int) -> None:
        """Ask for the run's end; an agent that is gone has ended it already."""
        with contextlib.suppress(OSError):
            self._socket.sendall(HEAD.pack(0, b"K", number))

    def receive(self) -> Reply | None:
        """Read what has come and return the reply when it is whole.

        Raises:
            RunnerFailed: when the agent is gone.
        """
        try:
            data = self._socket.recv(1 << 16)
        except OSError as error:
            raise self._gone() from error
        if not data:
            raise self._gone()
        self._buffer += data
        frame = self._frame()
        return None if frame is None else Reply.of(*frame)

    def hang_up(self) -> None:
        """Let the agent kill what it runs and exit; a thread that waits for its reply learns that it is gone."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up and free the socket."""
        self.hang_up()
        self._socket.close()

    def _frame(self) -> tuple[bytes, int, bytes] | None:
        if len(self._buffer) < HEAD.size:
            return None
        length, kind, number = HEAD.unpack_from(self._buffer)
        if length > LONGEST:
            raise RunnerFailed(f"the agent announces a frame of {length} bytes")
        if len(self._buffer) < HEAD.size + length:
            return None
        body, self._buffer = self._buffer[HEAD.size : HEAD.size + length], self._buffer[HEAD.size + length :]
        return kind, number, body

    def _gone(self) -> RunnerFailed:
        return RunnerFailed(f"the slot's agent (process {self.pid}) ended unexpectedly")


class Listener:
    """Waits for the one agent that will connect to `<folder>/agent.sock`.

    The name is gone once it has, before any script runs, so that no script can pass for it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SOCKET_NAME
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._path.unlink(missing_ok=True)
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # an address has room for 108 bytes, and data folders may lie deep
            self._socket.bind(f"/proc/self/fd/{fd}/{SOCKET_NAME}")
        finally:
            os.close(fd)
        self._path.chmod(0o666)
        self._socket.listen(1)

    def accept(self, timeout_s: float, trouble: Callable[[], str]) -> AgentLink:
        """Return the link to the agent, once it has said hello; `trouble` tells why it won't, "" as long as it may.

        Raises:
            RunnerFailed: when it does not come.
        """
        deadline = time.monotonic() + timeout_s
        try:
            wait_for(self._socket, deadline, trouble)
            connection, _ = self._socket.accept()
        finally:
            self.close()
        try:
            packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
            left_s = max(0.0, deadline - time.monotonic())
            return AgentLink.greeted(connection, CREDENTIALS.unpack(packed)[0], left_s, trouble)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Stop waiting; idempotent."""
        self._path.unlink(missing_ok=True)
        self._socket.close()


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return the worker's and the agent's end of a link for an agent that inherits its descriptor."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


def wait_for(connection: socket.socket, deadline: float, trouble: Callable[[], str]) -> None:
    """Wait until something has come over a socket.

    Raises:
        RunnerFailed: when nothing comes until the deadline, or there is trouble.
    """
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while not poll.poll(TICK_S * 1000):
        if reason := trouble():
            raise RunnerFailed(reason)
        if time.monotonic() >= deadline:
            raise RunnerFailed("the agent does not answer")


def last_words(trouble: Callable[[], str]) -> str:
    """Return why an agent that hung up did so: its end is seen a moment later than its silence."""
    deadline = time.monotonic() + LAST_WORDS_S
    while not (reason := trouble()) and time.monotonic() < deadline:
        time.sleep(TICK_S)
    return reason


def _texts(body: bytes) -> tuple[str, ...]:
    return tuple(it.decode("utf-8", "replace") for it in body.split(b"\0")) if body else ()


def _hello(body: bytes) -> Hello:
    try:
        facts = dict(it.split("=", 1) for it in _texts(body))
        return Hello(python=facts["python"], nested=facts["nested"] == "1", why_not=facts["why_not"])
    except (KeyError, ValueError) as error:
        raise RunnerFailed(f"the agent's hello makes no sense: {error}") from error
