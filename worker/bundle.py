"""A bundle's way through the worker: reserve, claim, run one chunk after the other, hand in."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Event

import structlog

from gridloom.errors import GridloomError
from gridloom.wire import Claimed, ClaimReply, ClaimRequest, Hint, ReleaseRequest, Work
from worker.attempt import Attempt, Outcome, Workshop
from worker.committer import Committer
from worker.components import ComponentCache
from worker.control import for_seconds
from worker.leases import Lease, LeaseBook
from worker.ledger import Ledger
from worker.runner import failed, failure_of, is_passthrough, run_attempt, steps_for
from worker.runners.protocol import SlotKey
from worker.slots import HeldSlot, WarmSlots

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
        warm: WarmSlots,
    ) -> None:
        self._shop, self._ledger, self._book, self._committer = shop, ledger, book, committer
        self._components, self._warm = components, warm
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
        slot = HeldSlot(self._warm, slot_key(work))
        with ExitStack() as held:
            held.callback(slot.give_back)
            try:
                code = (
                    None if is_passthrough(work) else held.enter_context(self._components.use(work.component))
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, it ends these attempts
                failure = failure_of(error, f"component {work.component.name}")
                for lease in leases:
                    self._committer.add(failed(lease, failure))
                return
            for claimed, lease in zip(reply.claimed, leases, strict=True):
                if self._draining.is_set():
                    return
                outcome = self._run_one(claimed, lease, work, slot, code, tail)
                if outcome is not None:
                    self._committer.add(outcome)

    def _run_one(
        self, claimed: Claimed, lease: Lease, work: Work, slot: HeldSlot, code: Path | None, tail: memoryview
    ) -> Outcome | None:
        inline = (
            b"" if claimed.offset is None else bytes(tail[claimed.offset : claimed.offset + claimed.size])
        )
        attempt = Attempt(
            shop=self._shop,
            lease=lease,
            claimed=claimed,
            work=work,
            slot=slot,
            code=code,
            inline=inline,
            started_at=datetime.now(UTC),
        )
        return run_attempt(attempt, steps_for(lease.stage, work))

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


def slot_key(work: Work) -> SlotKey:
    """Return what a warm slot for this work may be shared by."""
    return SlotKey(
        owner=work.owner_id,
        component=work.component.id,
        revision=work.component.revision,
        image=work.component.image,
        memory_mib=work.needs.memory_mib,
    )
