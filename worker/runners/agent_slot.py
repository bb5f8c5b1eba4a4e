"""A slot that keeps an agent process and lets it start one script after the other."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import structlog

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from worker.runners.agent_link import AgentLink, Reply
from worker.runners.cgroups import Cgroup
from worker.runners.launch import Launch, Planner, complete, encode, rlimits_for, threads_of
from worker.runners.protocol import Ended, Execution, Limits, OutputSink
from worker.runners.streams import Streams
from worker.runners.verdict import Facts, judge

log = structlog.get_logger(__name__)

KILL_PATIENCE_S = 5.0
DRAIN_S = 0.1
TICK_S = 1.0
#: What the agent itself and a sandbox around the script take of a slot's cgroup.
OWN_MIB = 16
OWN_PROCESSES = 4


class AgentSlot:
    """Runs scripts through one agent, which the first of them starts.

    `planner` says what is started for a script, `uid` is the user it runs as: where no cgroup counts its processes,
    that user's are counted.
    """

    def __init__(self, planner: Planner, *, python: str, uid: int, cgroup: Cgroup | None) -> None:
        self._planner, self._python, self._uid, self._cgroup = planner, python, uid, cgroup
        self._numbers = count(1)
        self._busy = threading.Lock()
        self._lock = threading.Lock()
        self._link: AgentLink | None = None
        self._current = 0
        self._started = False
        self._killed: tuple[EndReason, float] | None = None
        self._others: int | None = None
        self._closed = False

    def run(self, execution: Execution, sink: OutputSink) -> Ended:
        """Run the script to its end and leave no process of it behind.

        Raises:
            AttemptFailed: when the script can't be started here, such as for want of its interpreter.
            RunnerFailed: when the slot itself broke; it must then be closed, not used again.
        """
        limits = complete(execution.limits)
        with (
            self._busy,
            self._current_run() as number,
            self._planner.prepare(execution) as launch,
            Streams(sink) as streams,
        ):
            link = self._agent()
            kills_before = self._bound(limits)
            body = self._encode(launch, limits)
            started_at, started = datetime.now(UTC), time.monotonic()
            if self._start(link, number, body, [*streams.write_ends, *launch.extra_fds]):
                streams.close_write_ends()
                deadline = None if limits.timeout_s is None else started + limits.timeout_s
                reply = self._watch(link, number, streams, deadline)
            else:
                streams.close_write_ends()
                reply = Reply(number=number, status=signal.SIGKILL)
            streams.drain(DRAIN_S)
            facts = Facts(
                reply=reply,
                limits=limits,
                killed=None if self._killed is None else self._killed[0],
                wrapped=launch.report_fd is not None,
                oom_kills=None if self._cgroup is None else self._cgroup.oom_kills() - kills_before,
                last_line=streams.last_line(),
            )
            check_started(launch, facts)
        if reply.leftovers and not facts.wrapped:
            log.info("leftovers_killed", label=execution.label, processes=reply.leftovers)
        return ended(facts, started_at)

    def kill(self, reason: EndReason) -> None:
        """Kill the current run at once; its `run` returns with this reason. Harmless when nothing runs."""
        with self._lock:
            if self._current and self._killed is None:
                self._killed = (reason, time.monotonic())
                if self._link is not None and self._started:
                    self._link.send_kill(self._current)

    def close(self) -> None:
        """End the slot and everything in it; idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._link is not None:
                self._link.hang_up()
        with self._busy:
            if self._link is not None:
                self._link.close()
            if self._cgroup is not None:
                for pid in self._cgroup.members():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self._cgroup.remove()

    def _agent(self) -> AgentLink:
        with self._lock:
            if self._closed:
                raise RunnerFailed("the slot is closed")
            if self._link is None:
                self._link = AgentLink(self._python)
                if self._cgroup is not None:
                    join(self._cgroup, self._link)
                if self._cgroup is None or not self._cgroup.bounds_processes:
                    self._others = threads_of(self._uid)
            return self._link

    def _bound(self, limits: Limits) -> int:
        """Set the cgroup's bounds; return how many processes it has killed so far."""
        if self._cgroup is None:
            return 0
        self._cgroup.limit(limits.memory_mib + OWN_MIB, limits.processes + OWN_PROCESSES)
        return self._cgroup.oom_kills()

    def _encode(self, launch: Launch, limits: Limits) -> bytes:
        rlimits = rlimits_for(limits, memory_by_cgroup=self._cgroup is not None, others=self._others)
        try:
            return encode(launch, rlimits)
        except ValueError as error:
            raise AttemptFailed(EndReason.BAD_COMPONENT, str(error)) from error

    @contextlib.contextmanager
    def _current_run(self) -> Iterator[int]:
        """Make a run the one that `kill` means."""
        with self._lock:
            number = self._current = next(self._numbers)
            self._started, self._killed = False, None
        try:
            yield number
        finally:
            with self._lock:
                self._current = 0

    def _start(self, link: AgentLink, number: int, body: bytes, fds: list[int]) -> bool:
        """Send the run to the agent, unless it has been killed before; tell which."""
        with self._lock:  # whoever kills it later finds an agent that knows of it
            if self._killed is None:
                link.send_run(number, body, fds)
                self._started = True
            return self._started

    def _watch(self, link: AgentLink, number: int, streams: Streams, deadline: float | None) -> Reply:
        poll = select.poll()
        for fd in (link.fileno(), *streams.read_ends):
            poll.register(fd, select.POLLIN)
        while True:
            left_s = TICK_S if deadline is None else min(TICK_S, deadline - time.monotonic())
            for fd, _ in poll.poll(max(0.0, left_s) * 1000 + 1):
                if fd != link.fileno():
                    if not streams.pump(fd):
                        poll.unregister(fd)
                elif (reply := link.receive()) is not None and reply.number == number:
                    return reply
            self._enforce(deadline)

    def _enforce(self, deadline: float | None) -> None:
        now = time.monotonic()
        if self._killed is not None:
            if now - self._killed[1] > KILL_PATIENCE_S:
                raise RunnerFailed(f"a killed script did not end within {KILL_PATIENCE_S:g} s")
        elif deadline is not None and now >= deadline:
            self.kill(EndReason.TIMEOUT)


def join(cgroup: Cgroup, link: AgentLink) -> None:
    """Move an agent into its slot's cgroup.

    Raises:
        RunnerFailed: when the kernel refuses.
    """
    try:
        cgroup.add(link.pid)
    except OSError as error:
        raise RunnerFailed(f"the slot's agent can't be moved into its cgroup: {error}") from error


def check_started(launch: Launch, facts: Facts) -> None:
    """Make sure that the script really came to run.

    Raises:
        AttemptFailed: when it can't be executed.
        RunnerFailed: when what should have started it failed.
    """
    if facts.reply.refusal and launch.report_fd is None:
        raise AttemptFailed(EndReason.BAD_COMPONENT, f"the script can't be started: {facts.reply.refusal}")
    if facts.reply.refusal:
        raise RunnerFailed(f"the sandbox can't be started: {facts.reply.refusal}")
    if launch.report_fd is None or facts.killed or facts.oom_kills or os.WIFSIGNALED(facts.reply.status):
        return
    if b"exit-code" not in report(launch.report_fd):
        if "execvp" in facts.last_line:
            raise AttemptFailed(EndReason.BAD_COMPONENT, f"the script can't be started: {facts.last_line}")
        raise RunnerFailed(f"the sandbox can't be started: {facts.last_line or 'it said nothing'}")


def report(fd: int) -> bytes:
    """Return what the sandbox has reported so far."""
    try:
        return os.read(fd, 4096)
    except BlockingIOError:
        return b""


def ended(facts: Facts, started_at: datetime) -> Ended:
    """Return the whole of how a run ended."""
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
    )
