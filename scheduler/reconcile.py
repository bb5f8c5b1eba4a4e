"""What the scheduler finds by looking, not by being told: expired leases, overdue and homeless jobs.

Every action is a compare-and-set of its own, so two schedulers at once do no harm.
"""

import time

import structlog

from gridloom.settings import Settings
from gridloom.states import EndReason
from scheduler import ending, outcomes
from scheduler.placement import NoPlace
from storage.db import Database
from storage.repositories import job_states, tasks

log = structlog.get_logger()

_LOST_PER_ROUND = 500


class Reconciler:
    """Remembers since when it watches, and since when jobs have had no place."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._homeless_since: dict[str, float] = {}
        self.be_patient()

    def be_patient(self) -> None:
        """Give workers a lease's time from now to renew, since they could not while the fabric or its database was
        away."""
        self._patient_until = time.monotonic() + self._settings.lease_s

    def expire_leases(self) -> set[str]:
        """End attempts whose lease ran out; return the jobs concerned."""
        if time.monotonic() < self._patient_until:
            return set()
        with self._database.read() as connection:
            late = {row.job_id for row in tasks.expired(connection, _LOST_PER_ROUND)}
        if not late:
            return set()
        with self._database.write() as connection:
            job_states.lock(connection, late)
            rows = [row for row in tasks.expired(connection, _LOST_PER_ROUND) if row.job_id in late]
            touched = outcomes.lose(connection, rows, "its worker was not heard of any more", self._settings)
        for row in rows:
            log.warning(
                "lease_expired", job=row.job_id, stage=row.stage, chunk=row.chunk, attempt=row.attempt
            )
        return touched

    def end_overdue(self) -> set[str]:
        """Fail jobs whose time is up; return them."""
        with self._database.read() as connection:
            late = job_states.overdue(connection)
        for job_id in late:
            with self._database.write() as connection:
                message = "the job ran longer than its jobTimeout"
                ending.fail(connection, job_id, EndReason.JOB_TIMEOUT, message, self._settings)
        return set(late)

    def end_homeless(self, homeless: dict[str, NoPlace]) -> set[str]:
        """Fail jobs that no connected machine could run for too long; return them."""
        now = time.monotonic()
        final = {job_id for job_id, reason in homeless.items() if reason.final}
        self._homeless_since = {job_id: self._homeless_since.get(job_id, now) for job_id in final}
        ended = {
            job_id
            for job_id, since in self._homeless_since.items()
            if now - since >= self._settings.unplaceable_s
        }
        for job_id in ended:
            with self._database.write() as connection:
                ending.fail(connection, job_id, EndReason.UNPLACEABLE, homeless[job_id].why, self._settings)
        return ended
