"""The worker's end of the wire to one agent: start it, send it runs and kills, read its replies.

Sends are the caller's to order: one thread at a time.
"""

import array
import contextlib
import socket
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gridloom.errors import RunnerFailed

HEAD = struct.Struct("<IcQ")
ENDED = struct.Struct("<qqqqq")
AGENT = Path(__file__).with_name("agent.py")
EXIT_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the agent says at the end of a run; `refusal` tells why the program could not be started at all."""

    number: int
    status: int = 0
    leftovers: int = 0
    cpu_s: float = 0.0
    peak_memory_mib: float = 0.0
    refusal: str = ""

    @classmethod
    def of(cls, kind: bytes, number: int, body: bytes) -> Self:
        """Read the reply out of a frame."""
        if kind == b"X":
            return cls(number=number, refusal=body.decode("utf-8", "replace"))
        status, leftovers, user_us, system_us, peak_kib = ENDED.unpack(body)
        return cls(
            number=number,
            status=status,
            leftovers=leftovers,
            cpu_s=(user_us + system_us) / 1e6,
            peak_memory_mib=peak_kib / 1024,
        )


class AgentLink:
    """One agent process and the socket to it."""

    def __init__(self, python: str) -> None:
        """Start an agent on that interpreter.

        Raises:
            RunnerFailed: when it can't be started.
        """
        self._buffer = b""
        self._socket, theirs = socket.socketpair()
        try:
            # A session of its own: Ctrl-C on the terminal is for the worker, which then ends its slots.
            self._process = subprocess.Popen(
                [python, "-I", "-S", "-E", str(AGENT), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            self._socket.close()
            raise RunnerFailed(f"the agent can't be started: {error}") from error
        finally:
            theirs.close()
        self.pid = self._process.pid

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
            data = self._socket.recv(4096)
        except OSError as error:
            raise self._gone() from error
        if not data:
            raise self._gone()
        self._buffer += data
        if len(self._buffer) < HEAD.size:
            return None
        length, kind, number = HEAD.unpack_from(self._buffer)
        if len(self._buffer) < HEAD.size + length:
            return None
        body, self._buffer = self._buffer[HEAD.size : HEAD.size + length], self._buffer[HEAD.size + length :]
        return Reply.of(kind, number, body)

    def hang_up(self) -> None:
        """Let the agent kill what it runs and exit; a thread that waits for its reply learns that it is gone."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up and wait for the agent's exit; kill it when that takes too long."""
        self.hang_up()
        self._socket.close()
        try:
            self._process.wait(EXIT_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _gone(self) -> RunnerFailed:
        return RunnerFailed(f"the slot's agent (process {self.pid}) ended unexpectedly")
