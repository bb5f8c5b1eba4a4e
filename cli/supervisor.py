"""Starts child processes in order, relays what they print, restarts what dies, and stops them in order.

Single-threaded, so that a child can tie its life to this process right after the fork.
"""

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gridloom.errors import SetupFailed

READY_WITHIN_S = 60.0  #: a child that takes longer counts as failed
STARTS = 3  #: a child that ends this often before everything was ready ends the start
FIRST_DELAY_S, MOST_DELAY_S = 0.2, 10.0  #: wait before a restart; doubles while the child keeps dying early
STEADY_S = 20.0  #: a child that ran this long counts as healthy again
HEALTH_S, SICK_LIMIT = 5.0, 3  #: how often `healthy` is asked, and how many times No ends the child
_POLL_S = 0.03
_IDLE_S = 5.0
_LINE_BYTES = 64 * 1024
_PR_SET_PDEATHSIG = 1
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Emit = Callable[[str, str], None]  #: takes a source's name and one line


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One child. The children of a wave start together, the next wave once `ready` of all these has answered True.

    `stop_order` is where it stands when all are stopped, and `grace_s` how long it then has before it is killed.
    `before` is called ahead of each start. `healthy` is asked every few seconds while the child runs; one that says
    False three times in a row is killed, and so starts anew.
    """

    name: str
    argv: Sequence[str | Path]
    stop_order: int
    grace_s: float
    wave: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    before: Callable[[], object] | None = None
    healthy: Callable[[], bool] | None = None


class Supervisor:
    """Runs children until a stop signal comes.

    `emit` gets every line that a child prints, and under the name `up` what happens to them.
    """

    def __init__(self, specs: Sequence[ChildSpec], emit: Emit) -> None:
        self._emit = emit
        self._children = [_Child(spec, emit) for spec in specs]
        self._selector = selectors.DefaultSelector()
        self._stops = 0

    def run(self, on_ready: Callable[[], None]) -> bool:
        """Start everything, call `on_ready` once, and return True after a stop signal has ended it all.

        Returns False when a child could not be started; the others are stopped then.
        """
        wake, alarm = socket.socketpair()
        wake.setblocking(False)
        alarm.setblocking(False)
        self._selector.register(wake, selectors.EVENT_READ)
        for number in _STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP on purpose
                signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to be woken
        signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
        try:
            ready = self._start()
            if ready and not self._stops:
                on_ready()
            while ready and not self._stops:
                self._turn(self._next_restart_s())
                self._restart_due()
                for child in self._children:
                    child.check_health()
            return ready
        finally:
            self._stop()
            signal.set_wakeup_fd(-1)
            wake.close()
            alarm.close()

    def _on_stop(self, *_: object) -> None:
        self._stops += 1

    def _start(self) -> bool:
        for wave in sorted({it.spec.wave for it in self._children}):
            group = [it for it in self._children if it.spec.wave == wave]
            for child in group:
                child.start(self._selector)
            deadline = time.monotonic() + READY_WITHIN_S
            while not self._stops and (late := [it.spec.name for it in group if not it.ready]):
                if time.monotonic() > deadline:
                    self._emit("up", f"{' and '.join(late)} not ready within {READY_WITHIN_S:.0f} s")
                    return False
                self._turn(_POLL_S)
                if self._gave_up():
                    return False
                self._restart_due()
        return True

    def _gave_up(self) -> bool:
        failed = [it.spec.name for it in self._children if it.early_ends >= STARTS]
        for name in failed:
            self._emit("up", f"{name} does not start; its lines above tell why")
        return bool(failed)

    def _turn(self, timeout_s: float) -> None:
        """Wait for output, a signal or the time; then note who ended."""
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.data, _Child):
                key.data.relay(self._selector)
            elif isinstance(key.fileobj, socket.socket):
                key.fileobj.recv(4096)
        for child in self._children:
            child.note_end(self._selector)

    def _next_restart_s(self) -> float:
        due = [it.restart_at for it in self._children if it.restart_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else _IDLE_S

    def _restart_due(self) -> None:
        for child in self._children:
            if child.restart_at is not None and time.monotonic() >= child.restart_at:
                child.start(self._selector)

    def _stop(self) -> None:
        for order in sorted({it.spec.stop_order for it in self._children}):
            group = [it for it in self._children if it.spec.stop_order == order]
            for child in group:
                child.end(signal.SIGTERM)
            asked_at = time.monotonic()
            while running := [it for it in group if it.alive]:
                for child in running:
                    if self._stops > 1 or time.monotonic() - asked_at > child.spec.grace_s:
                        child.end(signal.SIGKILL)
                self._turn(_POLL_S)


class _Child:
    """One child's process, the line it is in the middle of, and when it starts again."""

    def __init__(self, spec: ChildSpec, emit: Emit) -> None:
        self.spec = spec
        self.restart_at: float | None = None
        self.early_ends = 0
        self._emit = emit
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._rest = b""
        self._started_at = 0.0
        self._asked_at = 0.0
        self._sick = 0
        self._stopping = False

    @property
    def alive(self) -> bool:
        return self._process is not None

    @property
    def ready(self) -> bool:
        return self.spec.ready is None or (self.alive and self.spec.ready())

    def start(self, selector: selectors.BaseSelector) -> None:
        self.restart_at = None
        self._started_at = self._asked_at = time.monotonic()
        self._sick = 0
        try:
            if self.spec.before:
                self.spec.before()
            process = subprocess.Popen(
                self.spec.argv,
                env={**os.environ, **self.spec.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops them in order
                preexec_fn=bound_to_parent(),  # noqa: PLW1509 (this process has one thread)
            )
        except (OSError, SetupFailed) as error:
            self._ended(f"cannot be started: {error}")
            return
        self._process, self._output = process, process.stdout
        assert self._output is not None
        os.set_blocking(self._output.fileno(), False)
        selector.register(self._output, selectors.EVENT_READ, self)

    def relay(self, selector: selectors.BaseSelector) -> None:
        """Pass on the complete lines that are there."""
        if self._output is None:
            return
        try:
            data = os.read(self._output.fileno(), _LINE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._close(selector)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) >= _LINE_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._emit(self.spec.name, line.decode(errors="replace"))

    def note_end(self, selector: selectors.BaseSelector) -> None:
        """When the process has ended, pass on the last of its output and plan the restart."""
        if self._process is None or self._process.poll() is None:
            return
        code = self._process.returncode
        self._process = None
        self.relay(selector)
        self._close(selector)
        if not self._stopping:
            self._ended(f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}")

    def check_health(self) -> None:
        """Kill a child that runs but does not do its work."""
        now = time.monotonic()
        if self._process is None or self.spec.healthy is None or now - self._asked_at < HEALTH_S:
            return
        self._asked_at = now
        self._sick = 0 if self.spec.healthy() else self._sick + 1
        if self._sick >= SICK_LIMIT:
            self._emit("up", f"{self.spec.name} runs but does not answer; it is killed")
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self, number: signal.Signals) -> None:
        """Send a signal; the child is not started again."""
        self._stopping, self.restart_at = True, None
        if self._process is None:
            return
        if number is signal.SIGKILL:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)

    def _ended(self, how: str) -> None:
        now = time.monotonic()
        self.early_ends = self.early_ends + 1 if now - self._started_at < STEADY_S else 1
        delay_s = min(MOST_DELAY_S, FIRST_DELAY_S * 2 ** (self.early_ends - 1))
        self.restart_at = now + delay_s
        self._emit("up", f"{self.spec.name} {how}; starts again in {delay_s:.1f} s")

    def _close(self, selector: selectors.BaseSelector) -> None:
        if self._output is None:
            return
        if self._rest:
            self._emit(self.spec.name, self._rest.decode(errors="replace"))
        selector.unregister(self._output)
        self._output.close()
        self._output, self._rest = None, b""


def bound_to_parent(number: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """Return what a child calls before exec so that it gets the signal when its parent ends; Linux only.

    The parent must have one thread only: the tie is to the thread that forks.
    """
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it ended between the fork and the call
            os._exit(1)

    return bind
