"""A slot in which an agent waits and starts one script after the other."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Protocol

import structlog

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from worker.runners.agent_link import AgentLink, Reply, RunRequest
from worker.runners.interpreters import command_for
from worker.runners.protocol import Ended, Execution, Limits, OutputSink, Preloaded, SlotFacts
from worker.runners.rlimits import Rlimits, complete
from worker.runners.streams import Streams
from worker.runners.verdict import Facts, judge

log = structlog.get_logger(__name__)

KILL_PATIENCE_S = 2.0
PRELOAD_PATIENCE_S = 60.0
DRAIN_S = 0.1
TICK_S = 1.0
#: Variables that an interpreter or its libraries read once, when they start: their scripts get a fresh one.
READ_AT_START = ("PYTHON", "LD_", "OMP_", "OPENBLAS_", "MKL_", "MALLOC_", "LC_", "LANG")


class Home(Protocol):
    """What an agent lives in: a container, a sandbox, or nothing but a process."""

    folder: Path

    def memory_mib(self) -> float:
        """Return what it occupies while idle; 0 when it is not alive any more."""

    def bound(self, limits: Limits) -> Rlimits:
        """Bound what it can bound itself before a run; return what the task's own resource limits must do."""

    def oom_kills(self) -> int | None:
        """Return how many processes the kernel has killed in it for want of memory; None when that can't be told."""

    def network_bytes(self) -> tuple[int, int] | None:
        """Return the bytes received and sent so far; None without a network."""

    def kill(self) -> None:
        """Kill everything in it, when the agent does not."""

    def destroy(self) -> None:
        """End it and remove its folder; returns when it is gone; idempotent."""


class AgentSlot:
    """Runs scripts through one agent.

    `uid` is the user of this machine to whom scripts' folders are given, None where that is the worker's own;
    `python` is the interpreter of scripts that the agent can't run itself.
    """

    def __init__(
        self, link: AgentLink, home: Home, facts: SlotFacts, *, uid: int | None, python: str = "python3"
    ) -> None:
        self.facts = facts
        self.folder = home.folder
        self._link, self._home, self._uid, self._python = link, home, uid, python
        self._numbers = count(1)
        self._busy = threading.Lock()
        self._lock = threading.Lock()
        self._current = 0
        self._started = False
        self._killed: tuple[EndReason, float] | None = None
        self._closed = False
        self._spent = False  # it was killed as a whole, to end a script that outlived its own kill

    def run(self, execution: Execution, sink: OutputSink) -> Ended:
        """Run the script to its end and leave no process of it behind.

        Raises:
            AttemptFailed: when the script can't be started here, such as for want of its interpreter.
            RunnerFailed: when the slot itself broke; it must then be closed, not used again.
        """
        limits = complete(execution.limits)
        with self._busy, self._current_run() as number, Streams(sink) as streams:
            self._hand_over(execution.folders)
            body = self._request(execution, self._home.bound(limits))
            kills, network = self._home.oom_kills(), self._home.network_bytes()
            started_at, started = datetime.now(UTC), time.monotonic()
            reply = Reply(number=number, status=signal.SIGKILL)
            begun = self._start(number, body, streams.write_ends)
            streams.close_write_ends()
            if begun:
                deadline = None if limits.timeout_s is None else started + limits.timeout_s
                reply = self._watch(number, streams, deadline)
            streams.drain(DRAIN_S)
            if reply.refusal:
                raise AttemptFailed(EndReason.BAD_COMPONENT, f"the script can't be started: {reply.refusal}")
            facts = Facts(
                reply=reply,
                limits=limits,
                killed=None if self._killed is None else self._killed[0],
                oom_kills=_difference(self._home.oom_kills(), kills),
                last_line=streams.last_line(),
            )
        if reply.leftovers:
            log.info("leftovers_killed", label=execution.label)
        return ended(facts, started_at, network, self._home.network_bytes())

    def kill(self, reason: EndReason) -> None:
        """Kill the current run at once; its `run` returns with this reason. Harmless when nothing runs."""
        with self._lock:
            if self._current and self._killed is None:
                self._killed = (reason, time.monotonic())
                if self._started:
                    self._link.send_kill(self._current)

    def preload(self, modules: Sequence[str]) -> Preloaded:
        """Import modules ahead of the tasks to come.

        Raises:
            RunnerFailed: when the slot itself broke.
        """
        if not self.facts.python or not modules:
            return Preloaded()
        with self._busy:
            if self._closed:
                raise RunnerFailed("the slot is closed")
            started = time.monotonic()
            number = next(self._numbers)
            self._link.send_preload(number, modules)
            poll = select.poll()
            poll.register(self._link, select.POLLIN)
            reply: Reply | None = None
            while reply is None or reply.number != number:
                left_s = PRELOAD_PATIENCE_S - (time.monotonic() - started)
                if left_s <= 0 or not poll.poll(left_s * 1000):
                    raise RunnerFailed(f"importing ahead took longer than {PRELOAD_PATIENCE_S:g} s")
                reply = self._link.receive()
            refused = {name: why for name, why in reply.verdicts.items() if why}
            imported = tuple(name for name, why in reply.verdicts.items() if not why)
            return Preloaded(imported=imported, refused=refused, took_s=time.monotonic() - started)

    def memory_mib(self) -> float:
        """Return what the slot occupies while idle; 0 when it is not alive any more."""
        return 0.0 if self._closed or self._spent else self._home.memory_mib()

    def close(self) -> None:
        """End the slot and everything in it, and remove its folder; returns when it is gone; idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._link.hang_up()
        with self._busy:
            self._link.close()
            self._home.destroy()

    def _hand_over(self, folders: Sequence[Path]) -> None:
        """Let the script's user work in its folders."""
        if self._uid is not None:
            for folder in folders:
                os.chown(folder, self._uid, self._uid)

    def _request(self, execution: Execution, rlimits: Rlimits) -> bytes:
        command = command_for(execution.script)
        fork = command.is_python and self.facts.python and not any(map(_read_at_start, execution.env))
        argv = (self._python, *command.argv[1:]) if command.is_python else command.argv
        request = RunRequest(
            cwd=str(execution.script.parent),
            component=str(execution.component),
            argv=argv,
            env=execution.env,
            python=bool(fork),
            rlimits=rlimits,
        )
        try:
            return request.encode()
        except ValueError as error:
            raise AttemptFailed(EndReason.BAD_COMPONENT, str(error)) from error

    @contextlib.contextmanager
    def _current_run(self) -> Iterator[int]:
        """Make a run the one that `kill` means."""
        with self._lock:
            if self._closed or self._spent:
                raise RunnerFailed("the slot is closed")
            number = self._current = next(self._numbers)
            self._started, self._killed = False, None
        try:
            yield number
        finally:
            with self._lock:
                self._current = 0

    def _start(self, number: int, body: bytes, fds: Sequence[int]) -> bool:
        """Send the run to the agent, unless it has been killed before; tell which."""
        with self._lock:  # whoever kills it later finds an agent that knows of it
            if self._killed is None:
                self._link.send_run(number, body, fds)
                self._started = True
            return self._started

    def _watch(self, number: int, streams: Streams, deadline: float | None) -> Reply:
        poll = select.poll()
        for fd in (self._link.fileno(), *streams.read_ends):
            poll.register(fd, select.POLLIN)
        while True:
            left_s = TICK_S if deadline is None else min(TICK_S, deadline - time.monotonic())
            for fd, _ in poll.poll(max(0.0, left_s) * 1000 + 1):
                if fd != self._link.fileno():
                    if not streams.pump(fd):
                        poll.unregister(fd)
                elif (reply := self._link.receive()) is not None and reply.number == number:
                    return reply
            self._enforce(deadline)
            if self._spent:
                return Reply(number=number, status=signal.SIGKILL)

    def _enforce(self, deadline: float | None) -> None:
        now = time.monotonic()
        if self._killed is not None:
            if now - self._killed[1] > KILL_PATIENCE_S:
                log.warning("slot_killed", why=f"a killed script did not end within {KILL_PATIENCE_S:g} s")
                self._spent = True
                self._home.kill()
        elif deadline is not None and now >= deadline:
            self.kill(EndReason.TIMEOUT)


def ended(
    facts: Facts, started_at: datetime, before: tuple[int, int] | None, after: tuple[int, int] | None
) -> Ended:
    """Return the whole of how a run ended; `before` and `after` count the network's bytes."""
    verdict = judge(facts)
    return Ended(
        reason=verdict.reason,
        exit_code=verdict.exit_code,
        signal=verdict.signal,
        message=verdict.message,
        started_at=started_at,
        ended_at=datetime.now(UTC),
        cpu_s=facts.reply.cpu_s,
        peak_memory_mib=facts.reply.peak_memory_mib,
        modules=facts.reply.modules,
        received_bytes=None if before is None or after is None else after[0] - before[0],
        sent_bytes=None if before is None or after is None else after[1] - before[1],
    )


def _difference(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else now - before


def _read_at_start(variable: str) -> bool:
    return variable.startswith(READ_AT_START)
