"""A bundle's way through the worker: reserve, claim, run one chunk after the other, hand in."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from threading import Condition, Event

import structlog

from gridloom.errors import GridloomError
from gridloom.wire import Claimed, ClaimReply, ClaimRequest, Hint, ReleaseRequest, Work
from worker.attempt import Attempt, Workshop
from worker.committer import Committer
from worker.components import ComponentCache
from worker.control import for_seconds
from worker.leases import Lease, LeaseBook
from worker.ledger import Ledger
from worker.pool.bundle_slot import BundleSlot
from worker.pool.warm_pool import WarmPool
from worker.reuse import EarlierResults
from worker.runner import failed, failure_of, is_passthrough, run_attempt, steps_for
from worker.runners.protocol import Runner
from worker.scrub import Scrubber

log = structlog.get_logger()

RESERVE_S = 2.0
_CALL_S = 10.0


class Bundles:
    """Runs the bundles that hints name; each `run` belongs to one thread."""

    def __init__(
        self,
        shop: Workshop,
        ledger: Ledger,
        book: LeaseBook,
        committer: Committer,
        components: ComponentCache,
        runner: Runner,
        pool: WarmPool,
    ) -> None:
        self._shop, self._ledger, self._book, self._committer = shop, ledger, book, committer
        self._components, self._runner, self._pool = components, runner, pool
        self._draining = Event()
        self._active = 0
        self.heard = 0  #: hints received so far
        self._changed = Condition()

    @property
    def active(self) -> int:
        """Number of bundles in work."""
        return self._active

    def run(self, hint: Hint) -> bool:
        """Run what a hint names, as far as it is still to be had; False when this worker can't take it now."""
        with self._counted():
            if self._draining.is_set() or not self._shop.scratch.has_room():
                return False
            reservation = self._ledger.reserve(hint.needs, RESERVE_S)
            if reservation is None:
                return False
            with reservation:
                self._run_claimed(hint)
            return True

    def drain(self) -> None:
        """Take no more work; what a bundle has not begun is handed back."""
        self._draining.set()
        self._ledger.close()

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no bundle is in work; tell whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._active == 0, timeout_s)

    def _run_claimed(self, hint: Hint) -> None:
        asked_at = time.monotonic()
        request = ClaimRequest(job_id=hint.job_id, stage=hint.stage, chunks=hint.chunks)
        try:
            reply, tail = self._shop.control.claim(request, for_seconds(_CALL_S))
        except GridloomError as error:
            log.warning("claim_failed", job=hint.job_id, stage=hint.stage, error=error.message)
            return
        if reply.work is None or not reply.claimed:
            return
        leases = self._book.take(
            hint.job_id, hint.stage, reply.claimed, lease_s=reply.lease_s, asked_at=asked_at
        )
        try:
            self._run_all(reply, reply.work, tail, leases)
        finally:
            self._committer.flush()
            self._let_go(leases)

    def _run_all(self, reply: ClaimReply, work: Work, tail: memoryview, leases: list[Lease]) -> None:
        slot = BundleSlot(self._pool, self._runner, self._shop.control.pin, work, leases[0].job_id)
        with ExitStack() as held:
            held.callback(slot.give_back)
            try:
                code = None
                if not is_passthrough(work):
                    code = held.enter_context(self._components.use(work.owner_id, work.component))
            except Exception as error:  # noqa: BLE001 - whatever it is, it ends these attempts
                failure = failure_of(error, f"component {work.component.name}")
                for lease in leases:
                    self._committer.add(failed(lease, failure))
                return
            earlier = EarlierResults(self._shop.control, leases) if work.reuse else None
            scrubber = Scrubber(work.env[name] for name in work.secret_names)
            for number, (claimed, lease) in enumerate(zip(reply.claimed, leases, strict=True), 1):
                if self._draining.is_set():
                    return
                attempt = Attempt(
                    shop=self._shop,
                    lease=lease,
                    claimed=claimed,
                    work=work,
                    slot=slot,
                    scrubber=scrubber,
                    code=code,
                    inline=_inline(claimed, tail),
                    rest=len(leases) - number,
                    earlier=earlier,
                    started_at=datetime.now(UTC),
                )
                outcome = run_attempt(attempt, steps_for(lease.stage, work))
                if outcome is not None:
                    self._committer.add(outcome)

    def _let_go(self, leases: list[Lease]) -> None:
        """Hand back what was not begun or was stopped for the worker's own sake; forget what was lost."""
        open_leases = [lease for lease in leases if not lease.finished]
        ours = [lease for lease in open_leases if not lease.lost]
        if ours:
            try:
                self._shop.control.release(
                    ReleaseRequest(holds=tuple(lease.hold() for lease in ours)), for_seconds(_CALL_S)
                )
            except GridloomError as error:
                log.warning("leases_not_released", number=len(ours), error=error.message)
        self._book.drop(open_leases)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._changed:
            self.heard += 1
            self._active += 1
        try:
            yield
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()


def _inline(claimed: Claimed, tail: memoryview) -> bytes:
    if claimed.offset is None:
        return b""
    return bytes(tail[claimed.offset : claimed.offset + claimed.size])
