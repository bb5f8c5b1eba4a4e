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
from worker.output import OutputCapture
from worker.unsent_logs import UnsentLogs, laid_out

log = structlog.get_logger()

_INTERVAL_S = 1.0

Batch = tuple[int, int, list[LogLine]]


@dataclass(slots=True, eq=False)
class Watched:
    """A running attempt's output."""

    lease: Lease
    capture: OutputCapture
    since: float = field(default_factory=time.monotonic)


class LiveLogs:
    """One thread that each second sends the new lines of tasks that have run for a second."""

    def __init__(self, control: ControlPlane, unsent: UnsentLogs) -> None:
        self._control, self._unsent = control, unsent
        self._watched: set[Watched] = set()
        self._lock = Lock()
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
        """Send the new lines once, and those that could not be sent before."""
        for (job_id, stage), batches in self._printed().items():
            self._unsent.add(job_id, stage, batches)
        for job_id, stage in self._unsent.stages():
            self._send(job_id, stage)

    def _printed(self) -> dict[tuple[str, Stage], list[Batch]]:
        due = time.monotonic() - _INTERVAL_S
        found: dict[tuple[str, Stage], list[Batch]] = defaultdict(list)
        with self._lock:
            for watched in self._watched:
                if watched.since <= due and (lines := watched.capture.drain()):
                    lease = watched.lease
                    found[lease.job_id, lease.stage].append((lease.chunk, lease.attempt, lines))
        return found

    def _send(self, job_id: str, stage: Stage) -> None:
        parcels = self._unsent.of(job_id, stage)
        if not parcels:
            return
        segments, tail = laid_out(parcels, 0)
        try:
            self._control.logs(LogsRequest(job_id=job_id, stage=stage, logs=segments), tail, lambda: False)
        except Unavailable as error:
            log.info("live_logs_waiting", job=job_id, error=error.message)
            return
        except GridloomError as error:
            log.warning("live_logs_refused", job=job_id, error=error.message)
        self._unsent.drop(job_id, stage, parcels)

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
