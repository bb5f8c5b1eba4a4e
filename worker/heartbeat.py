"""The threads that keep leases: one renews them, one fences by our own clock, one listens for cancellations."""

import time
from collections.abc import Callable, Iterable
from threading import Event, Thread

import structlog

from gridloom.devices import Capacity
from gridloom.errors import GridloomError
from gridloom.wire import HeartbeatRequest
from worker.control import ControlPlane, for_seconds
from worker.leases import LeaseBook

log = structlog.get_logger()

RENEWALS = 4  # in the time of a lease
_FENCE_TICK_S = 0.1
_IDLE_TICK_S = 1.0


class Heartbeat:
    """Keeps the leases of a book for as long as the control plane confirms them."""

    def __init__(
        self,
        control: ControlPlane,
        book: LeaseBook,
        lease_s: float,
        *,
        free: Callable[[], Capacity],
        metrics: Callable[[], str],
        cancels: Callable[[], Iterable[str]],
        job_over: Callable[[str], None],
    ) -> None:
        """`job_over` is told of each cancelled job, and must not wait."""
        self._control, self._book, self._free, self._metrics = control, book, free, metrics
        self._cancels, self._job_over = cancels, job_over
        self._lease_s = lease_s
        self._rung = Event()
        self._stopped = Event()
        self._threads = [
            Thread(target=target, name=f"lease-{name}", daemon=True)
            for name, target in (("renew", self._renew), ("fence", self._fence), ("cancels", self._listen))
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Ask the control plane now, not at the next turn."""
        self._rung.set()

    def stop(self, timeout_s: float) -> None:
        """End the threads; the one that listens may be deaf to that, and ends with the process."""
        self._stopped.set()
        self._rung.set()
        for thread in self._threads[:2]:
            if thread.is_alive():
                thread.join(timeout_s)

    def beat(self) -> None:
        """Renew every lease once and end those that are lost; tells of free capacity when there are none."""
        leases = [lease for lease in self._book.all() if not lease.lost]
        running = [lease for lease in leases if lease.running_since is not None]
        asked_at = time.monotonic()
        request = HeartbeatRequest(
            holds=tuple(lease.hold() for lease in leases), free=self._free(), metrics=self._metrics()
        )
        reply = self._control.heartbeat(request, for_seconds(self._lease_s / RENEWALS))
        self._lease_s = reply.lease_s
        for lease in self._book.renewed(leases, reply.lost, lease_s=reply.lease_s, asked_at=asked_at):
            log.info("lease_lost", job=lease.job_id, stage=lease.stage, chunk=lease.chunk)
        for lease in running:
            lease.announced = True

    def _renew(self) -> None:
        while not self._stopped.is_set():
            try:
                self.beat()
            except GridloomError as error:
                log.warning("heartbeat_failed", error=error.message)
            except Exception:
                log.exception("heartbeat_broke")
            self._rung.wait(self._lease_s / RENEWALS)
            self._rung.clear()

    def _fence(self) -> None:
        while not self._stopped.is_set():
            if self._book.wait_any(_IDLE_TICK_S):
                try:
                    self._look()
                except Exception:
                    log.exception("fence_broke")
                self._stopped.wait(_FENCE_TICK_S)

    def _look(self) -> None:
        for lease in self._book.fence():
            log.warning("lease_fenced", job=lease.job_id, stage=lease.stage, chunk=lease.chunk)
        if self._book.unannounced():
            self.ring()

    def _listen(self) -> None:
        for job_id in self._cancels():
            if self._stopped.is_set():
                return
            if self._book.concerns(job_id):
                self.ring()
            self._job_over(job_id)
