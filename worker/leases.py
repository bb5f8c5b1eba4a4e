"""Every lease that this process holds: renewed together, fenced by its own clock, killed when lost."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from threading import Condition, RLock

from gridloom.errors import LeaseLost
from gridloom.states import EndReason, Stage
from gridloom.wire import Claimed, Hold

FENCE_SHARE = 0.8  # of the lease, without a confirmed renewal, after which nothing may run under it any more
ANNOUNCE_S = 1.0  # a run that lasts longer than this is told to the control plane at once

Key = tuple[str, Stage, int, int]
Kill = Callable[[EndReason], None]


class Lease:
    """The right to run one attempt and to write its result, for as long as it is not ended."""

    def __init__(self, key: Key, *, confirmed_at: float, lease_s: float) -> None:
        self.key = key
        self.job_id, self.stage, self.chunk, self.attempt = key
        self.confirmed_at = confirmed_at
        self.lease_s = lease_s
        self.ended_by: EndReason | None = None
        #: The outcome is there and waits for its commit, which its attempt number alone makes safe.
        self.finished = False
        self.announced = False
        self.running_since: datetime | None = None
        self._kill: Kill | None = None
        # A kill must not reach the next task of the same slot, so it excludes the end of a run.
        self._lock = RLock()

    @property
    def lost(self) -> bool:
        """Whether somebody else may hold the task by now, so that no result of it counts."""
        return self.ended_by is EndReason.CANCELLED

    @property
    def runs(self) -> bool:
        """Whether there is something to kill."""
        return self._kill is not None

    def check(self) -> None:
        """Make sure that work may go on.

        Raises:
            LeaseLost: when it may not.
        """
        if self.ended_by is not None:
            raise LeaseLost(
                f"{self.stage} {self.chunk} of job {self.job_id}, attempt {self.attempt}: {self.ended_by}"
            )

    def start(self, kill: Kill) -> None:
        """Note that a process starts and how it is killed.

        Raises:
            LeaseLost: when nothing may start any more.
        """
        with self._lock:
            self.check()
            self.running_since = datetime.now(UTC)
            self._kill = kill

    def stop(self) -> None:
        """Note that the process is gone."""
        with self._lock:
            self._kill = None

    def end(self, reason: EndReason) -> None:
        """Forbid further work and kill what runs; the first reason stays."""
        with self._lock:
            self.ended_by = self.ended_by or reason
            self.kill(self.ended_by)

    def kill(self, reason: EndReason) -> None:
        """Kill what runs, if anything does."""
        with self._lock:
            if self._kill is not None:
                self._kill(reason)

    def hold(self) -> Hold:
        """Return the lease as the control plane knows it."""
        return Hold(
            job_id=self.job_id,
            stage=self.stage,
            chunk=self.chunk,
            attempt=self.attempt,
            running_since=self.running_since,
        )


class LeaseBook:
    """All leases of the process; safe for use by many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._leases: dict[Key, Lease] = {}
        self._changed = Condition()

    def take(
        self, job_id: str, stage: Stage, claimed: Iterable[Claimed], *, lease_s: float, asked_at: float
    ) -> list[Lease]:
        """Note leases won by a claim that was sent at `asked_at` of the monotonic clock."""
        leases = [
            Lease((job_id, stage, it.chunk, it.attempt), confirmed_at=asked_at, lease_s=lease_s)
            for it in claimed
        ]
        with self._changed:
            self._leases.update((lease.key, lease) for lease in leases)
            self._changed.notify_all()
        return leases

    def drop(self, leases: Iterable[Lease]) -> None:
        """Forget leases that were committed, released or lost."""
        with self._changed:
            for lease in leases:
                self._leases.pop(lease.key, None)
            self._changed.notify_all()

    def all(self) -> list[Lease]:
        """Return every lease."""
        with self._changed:
            return list(self._leases.values())

    def concerns(self, job_id: str) -> bool:
        """Tell whether a lease belongs to the job; "" stands for any job."""
        return any(job_id in ("", lease.job_id) for lease in self.all())

    def renewed(
        self, asked: Iterable[Lease], lost: Iterable[Hold], *, lease_s: float, asked_at: float
    ) -> list[Lease]:
        """Note the answer to a heartbeat that was sent at `asked_at` for `asked`; return the work that it ended.

        An answer may call a lease lost whose commit was just applied: ending what is finished already does no harm.
        """
        gone = {(it.job_id, it.stage, it.chunk, it.attempt) for it in lost}
        ended: list[Lease] = []
        for lease in asked:
            if lease.key not in gone:
                lease.confirmed_at, lease.lease_s = asked_at, lease_s
                continue
            if not lease.finished:
                ended.append(lease)
            lease.end(EndReason.CANCELLED)
        return ended

    def fence(self) -> list[Lease]:
        """End unfinished leases without a renewal for too long; return those.

        Kills again whatever was ended and still runs: a kill that comes just before its run starts finds nothing.
        """
        now = self._clock()
        late: list[Lease] = []
        for lease in self.all():
            if lease.ended_by is not None:
                lease.kill(lease.ended_by)
            elif not lease.finished and now - lease.confirmed_at > FENCE_SHARE * lease.lease_s:
                lease.end(EndReason.CANCELLED)
                late.append(lease)
        return late

    def unannounced(self) -> bool:
        """Tell whether the control plane is still to hear that a task runs."""
        now = datetime.now(UTC)
        return any(
            lease.runs
            and not lease.announced
            and lease.running_since is not None
            and (now - lease.running_since).total_seconds() > ANNOUNCE_S
            for lease in self.all()
        )

    def end_all(self, reason: EndReason) -> None:
        """End every lease that has no outcome yet."""
        for lease in self.all():
            if not lease.finished:
                lease.end(reason)

    def wait_any(self, timeout_s: float) -> bool:
        """Wait until there are leases; tell whether there are."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._leases), timeout_s)
