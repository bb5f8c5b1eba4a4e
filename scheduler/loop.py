"""The scheduler's loop: wait for a wake-up or the next tick, move jobs on, hand out work.

Only the leader acts. Leadership is a lease in the database; should two act at once, each step is a compare-and-set.
"""

import threading
import time
import uuid

import structlog
from sqlalchemy.exc import DBAPIError

from broker.hints import HintQueues
from broker.wakeup import Wakeup
from gridloom.settings import Settings
from scheduler.dispatch import Dispatcher
from scheduler.progress import progress
from scheduler.reconcile import Reconciler
from scheduler.stale_blobs import BLOBS_PER_SWEEP, sweep_blobs
from scheduler.sweep import JOBS_PER_SWEEP, sweep, sweep_leftovers
from storage.blobs import BlobStore
from storage.conflicts import again_after_conflict
from storage.db import Database
from storage.repositories import job_states, workers

log = structlog.get_logger()

_LEAD_S = 10.0
_SWEEP_EVERY_S = 60.0
_LEFTOVERS_EVERY_S = 3600.0
_IDLE_TICKS = 5  #: without live jobs it looks this many times less often


class Scheduler:
    """One process's scheduler."""

    def __init__(
        self, database: Database, store: BlobStore, queues: HintQueues, wakeup: Wakeup, settings: Settings
    ) -> None:
        self._database = database
        self._store = store
        self._wakeup = wakeup
        self._settings = settings
        self._dispatcher = Dispatcher(database, queues, settings)
        self._reconciler = Reconciler(database, settings)
        self._name = uuid.uuid4().hex
        self._leads_until = 0.0
        self._next_tick = 0.0
        self._next_sweep = self._next_leftovers = 0.0
        self._live: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Schedule until `stop` is set."""
        while not stop.is_set():
            woken = self._wait(stop)
            try:
                again_after_conflict(self.step, woken)
            except DBAPIError as error:
                log.warning("round_failed", error=str(error))
                self._reconciler.be_patient()
                stop.wait(self._settings.tick_s)

    def step(self, woken: set[str]) -> None:
        """Do one round: the jobs in `woken`, and at a tick every live job."""
        if not self._lead():
            return
        now = time.monotonic()
        due = set(woken)
        if now >= self._next_tick:
            due |= self._tick()
            self._next_tick = now + self._settings.tick_s * (1 if self._live else _IDLE_TICKS)
        for job_id in due:
            try:
                self._move(job_id)
            except DBAPIError:
                raise
            except Exception:
                # One job that can't be understood must not stop all the others.
                log.exception("job_not_moved", job=job_id)
        if self._live or due:
            homeless = self._dispatcher.round()
            for job_id in self._reconciler.end_homeless(homeless):
                self._wakeup.cancel(job_id)

    def _wait(self, stop: threading.Event) -> set[str]:
        if time.monotonic() < self._leads_until:
            return self._wakeup.wait(self._pause_s())
        # Wake-ups are the leader's: one that a follower took would be lost.
        stop.wait(self._pause_s())
        return set()

    def _pause_s(self) -> float:
        return max(0.05, min(self._next_tick - time.monotonic(), self._settings.tick_s * _IDLE_TICKS))

    def _lead(self) -> bool:
        if time.monotonic() < self._leads_until - _LEAD_S / 2:
            return True
        asked = time.monotonic()
        with self._database.write() as connection:
            leads = workers.lead(connection, "scheduler", self._name, _LEAD_S)
        self._leads_until = asked + _LEAD_S if leads else 0.0
        if not leads:
            self._next_tick = asked + self._settings.tick_s
        return leads

    def _tick(self) -> set[str]:
        for job_id in self._reconciler.expire_leases() | self._reconciler.end_overdue():
            self._wakeup.cancel(job_id)
        with self._database.read() as connection:
            self._live = {job.id for job in job_states.live_jobs(connection)}
        if time.monotonic() >= self._next_sweep:
            purged = sweep(self._database, self._store, self._settings)
            removed = sweep_blobs(self._database, self._store)
            if purged < JOBS_PER_SWEEP and removed < BLOBS_PER_SWEEP:  # else more are due
                self._next_sweep = time.monotonic() + _SWEEP_EVERY_S
        if time.monotonic() >= self._next_leftovers:
            sweep_leftovers(self._store)
            self._next_leftovers = time.monotonic() + _LEFTOVERS_EVERY_S
        return set(self._live)

    def _move(self, job_id: str) -> None:
        again = True
        while again:
            with self._database.write() as connection:
                before = job_states.standing(connection, job_id)
                again = progress(connection, job_id, self._settings)
                after = job_states.standing(connection, job_id)
        if after is None:
            return
        if before is not None and before.state != after.state and after.ended_at is not None:
            log.info("job_ended", job=job_id, state=after.state, reason=after.end_reason)
            self._live.discard(job_id)
            self._wakeup.cancel(job_id)
        elif after.ended_at is None:
            self._live.add(job_id)
