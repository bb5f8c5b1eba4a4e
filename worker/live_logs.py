"""Ships what long-running tasks print while they still run; what is left travels with their commit."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

import structlog

from gridloom.errors import GridloomError, Unavailable
from gridloom.logs import LogLine
from gridloom.states import Stage
from gridloom.wire import LogsRequest
from worker.control import ControlPlane
from worker.leases import Lease
from worker.log_segments import pack_lines
from worker.output import OutputCapture

log = structlog.get_logger()

_INTERVAL_S = 1.0
_UNSENT_LINES = 100_000

Batch = tuple[int, int, list[LogLine]]


@dataclass(slots=True, eq=False)
class Watched:
    """A running attempt's output."""

    lease: Lease
    capture: OutputCapture
    since: float = field(default_factory=time.monotonic)


class LiveLogs:
    """One thread that each second sends the new lines of tasks that have run for a second."""

    def __init__(self, control: ControlPlane) -> None:
        self._control = control
        self._watched: set[Watched] = set()
        self._lock = Lock()
        self._unsent: dict[tuple[str, Stage], list[Batch]] = defaultdict(list)
        self._stopped = Event()
        self._some = Event()
        self._thread = Thread(target=self._run, name="live-logs", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def watch(self, lease: Lease, capture: OutputCapture) -> Watched:
        """Ship the capture's lines from now on."""
        watched = Watched(lease, capture)
        with self._lock:
            self._watched.add(watched)
            self._some.set()
        return watched

    def leave(self, watched: Watched) -> list[LogLine]:
        """Stop shipping and return the lines that remain."""
        with self._lock:
            self._watched.discard(watched)
            watched.capture.finish()
            return watched.capture.drain()

    def stop(self, timeout_s: float) -> None:
        """Send what was not yet sent and end the thread."""
        self._stopped.set()
        self._some.set()
        self._thread.join(timeout_s)

    def ship(self) -> None:
        """Send the new lines once."""
        self._gather()
        for (job_id, stage), batches in list(self._unsent.items()):
            if self._send(job_id, stage, batches):
                del self._unsent[job_id, stage]
        if sum(len(lines) for batches in self._unsent.values() for _, _, lines in batches) > _UNSENT_LINES:
            log.warning("live_logs_dropped")
            self._unsent.clear()

    def _gather(self) -> None:
        due = time.monotonic() - _INTERVAL_S
        with self._lock:
            for watched in self._watched:
                if watched.since <= due and (lines := watched.capture.drain()):
                    lease = watched.lease
                    self._unsent[lease.job_id, lease.stage].append((lease.chunk, lease.attempt, lines))

    def _send(self, job_id: str, stage: Stage, batches: list[Batch]) -> bool:
        packed = pack_lines(batches, 0)
        if packed is None:
            return True
        segment, tail = packed
        try:
            self._control.logs(LogsRequest(job_id=job_id, stage=stage, logs=(segment,)), tail, lambda: False)
        except Unavailable as error:
            log.info("live_logs_waiting", job=job_id, error=error.message)
            return False
        except GridloomError as error:
            log.warning("live_logs_refused", job=job_id, error=error.message)
        return True

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._some.wait()
            self._stopped.wait(_INTERVAL_S)
            try:
                self.ship()
            except Exception:
                log.exception("live_logs_broke")
            with self._lock:
                if not self._watched and not self._unsent:
                    self._some.clear()
