"""The warm pool: slots are claimed, refilled while tasks wait, kept while they are worth it, and closed in time.

Whatever waits for a slot or a runner happens outside the lock; in use are never more slots than bundles in work.
"""

import time
from collections.abc import Callable
from functools import partial
from threading import Condition, Event, Thread

import psutil
import structlog

from gridloom.errors import GridloomError, LeaseLost, RunnerFailed
from gridloom.states import EndReason
from gridloom.warmth import Tier
from worker.pool import policy
from worker.pool.crew import Crew
from worker.pool.held import Held
from worker.pool.learning import Learned
from worker.pool.member import App, Member, Reason, State
from worker.pool.metrics import Metrics
from worker.pool.roster import Roster
from worker.runners.protocol import Ended, Runner, SlotKey

log = structlog.get_logger()

TICK_S = 3.0
SWEEP_S = 60.0
_LOOK_S = 0.2
_CRASHES = frozenset({4, 6, 7, 8, 11})  # ILL, ABRT, BUS, FPE, SEGV


def free_share() -> float:
    """Return the share of the machine's memory that is free."""
    memory = psutil.virtual_memory()
    return float(memory.available / memory.total)


class WarmPool:
    """The open slots of a worker; safe for use by many threads."""

    def __init__(
        self,
        runner: Runner,
        *,
        places: int,
        budget_mib: float,
        learned: Learned,
        metrics: Metrics,
        crew: Crew | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner, self._learned, self._metrics, self._clock = runner, learned, metrics, clock
        self._crew = crew or Crew(places)
        self._roster = Roster(places, budget_mib)
        self._changed = Condition()
        self._stopped = Event()
        self._swept_at = clock()
        self._monitor = Thread(target=self._watch, name="pool", daemon=True)
        metrics.watch(self.counts, self._idle_mib)

    def start(self) -> None:
        """Start to look after the slots."""
        self._monitor.start()

    def claim(
        self, key: SlotKey, app: App, waiting: int = 0, go_on: Callable[[], bool] = lambda: True
    ) -> Held:
        """Return a slot for the app: warm, else generic, else a new one; `waiting` tasks want more of them.

        Raises:
            AttemptFailed: when this machine can't give what the key asks for.
            LeaseLost: when `go_on` says that it is not wanted any more.
            RunnerFailed: when none can be opened.
        """
        began = self._clock()
        member, tier = self._find(key, app, go_on)
        if member is None:
            member, tier = self._open_now(key, app), Tier.COLD
        took_s = self._clock() - began
        self._metrics.claimed(tier, took_s)
        self._refill(key, app, waiting)
        return Held(self, member, app, tier)

    def expect(self, key: SlotKey, app: App, waiting: int) -> None:
        """Open slots in the background for tasks that will come, as far as there is room."""
        self._refill(key, app, waiting)

    def job_over(self, job_id: str) -> None:
        """Close what only this job might have used."""
        with self._changed:
            over = [it for it in self._roster if it.key.job == job_id != ""]
            for member in over:
                member.spoiled = member.spoiled or Reason.JOB_OVER
            idle = [it for it in over if it.state is State.IDLE]
        for member in idle:
            self._retire(member, Reason.JOB_OVER)

    def prepare(self, member: Member, app: App) -> None:
        """Let a slot that its holder will use again import what has been learned.

        Raises:
            RunnerFailed: when the slot broke.
        """
        names = self._missing(member, app)
        if not names:
            return
        done = member.slot.preload(names)
        self._metrics.preloaded(done)
        self._learned.refuse(member.key.image, app, done.refused)
        member.asked = self._learned.wanted(member.key.image, app)
        if done.refused:
            log.info("imports_refused", component=app.component, refused=dict(done.refused))
        if done.imported:
            member.app = app
            member.imported = (*member.imported, *done.imported)
            member.baseline_mib = member.slot.memory_mib()
            member.cold_s += done.took_s

    def note(self, member: Member, app: App, ended: Ended) -> None:
        """Learn from a run, and note what it did to the slot."""
        member.served += 1
        self._metrics.ended(ended.reason)
        if ended.reason is EndReason.OUT_OF_MEMORY:
            member.spoiled = Reason.OUT_OF_MEMORY
        if ended.succeeded and member.slot.facts.python:
            self._learned.ran(member.key.image, app, member.imported, ended.modules)
        elif member.imported and ended.signal in _CRASHES and self._learned.crashed(member.key.image, app):
            log.warning("preload_disabled", component=app.component, image=member.key.image)
            self._drop_imports(app)

    def give_back(self, member: Member, app: App) -> None:
        """Keep a slot for later, or close it in the background when its time is over."""
        if member.state is State.GONE:
            return
        memory_mib = 0.0 if member.spoiled else member.slot.memory_mib()
        reason = policy.served_its_time(member, memory_mib, self._clock())
        if reason is not None:
            self._retire(member, reason)
            return
        self._settle(member, memory_mib)
        if self._missing(member, app):
            self._crew.open(partial(self._specialise, member, app))

    def counts(self) -> dict[State, int]:
        """Return the number of slots by state."""
        with self._changed:
            return dict(self._roster.counts())

    def tick(self) -> None:
        """Close what is old, dead, idle for too long or too much; sweep now and then."""
        now = self._clock()
        with self._changed:
            idle = self._roster.idle()
        for member in idle:
            memory_mib = member.slot.memory_mib()
            reason = policy.served_its_time(member, memory_mib, now)
            if reason is None and policy.idle_too_long(member, now):
                reason = Reason.IDLE
            with self._changed:
                member.memory_mib = memory_mib
                still_idle = member.state is State.IDLE and not member.promised
            if reason is not None and still_idle:
                self._retire(member, reason, only_from=State.IDLE)
        self._trim(at_least=int(free_share() < policy.FREE_SHARE_MIN))
        self._learned.save()
        if now - self._swept_at >= SWEEP_S:
            self._swept_at = now
            self._runner.sweep()

    def close(self) -> None:
        """Close every slot, also those in use."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        self._crew.stop_opening()
        for member in self._roster:
            self._retire(member, Reason.STOPPED)
        self._crew.stop()
        if self._monitor.is_alive():
            self._monitor.join()
        self._learned.save()

    def _find(self, key: SlotKey, app: App, go_on: Callable[[], bool]) -> tuple[Member | None, Tier]:
        while True:
            member, waited = self._take(key, app, go_on)
            if member is None or member.slot.memory_mib() > 0:
                break
            self._retire(member, Reason.DEAD)
        if member is None or waited:
            return member, Tier.COLD
        return member, self._tier(member, app)

    def _take(self, key: SlotKey, app: App, go_on: Callable[[], bool]) -> tuple[Member | None, bool]:
        """Hold an idle slot, or one that comes while we wait for it; tells whether that was so."""
        with self._changed:
            while True:
                if self._stopped.is_set():
                    raise RunnerFailed("the worker is stopping")
                if not go_on():
                    raise LeaseLost("the lease ended while its task waited for a slot")
                if (member := self._roster.idle_for(key, app)) is not None:
                    return self._hold(member, app), False
                coming = self._roster.coming_for(key, app)
                if coming is None:
                    self._roster.drop_queued(key, app)
                    return None, False
                coming.promised = True
                while coming.state is State.COMING and go_on() and not self._stopped.is_set():
                    self._changed.wait(_LOOK_S)
                coming.promised = False
                if coming.state is State.IDLE and coming.serves(key, app) and go_on():
                    return self._hold(coming, app), True

    def _hold(self, member: Member, app: App) -> Member:
        member.state, member.user = State.HELD, app
        member.claims += 1
        return member

    def _tier(self, member: Member, app: App) -> Tier:
        if member.app == app:
            return Tier.WARM
        settled = not member.slot.facts.python or self._learned.is_settled(member.key.image, app)
        return Tier.WARM if settled and not self._missing(member, app) else Tier.GENERIC

    def _missing(self, member: Member, app: App) -> tuple[str, ...]:
        wanted = self._learned.wanted(member.key.image, app)
        if wanted == member.asked or not member.slot.facts.python:
            return ()
        have = set(member.imported)
        return tuple(name for name in wanted if name not in have)

    def _open_now(self, key: SlotKey, app: App) -> Member:
        self._trim(at_least=int(free_share() < policy.FREE_SHARE_MIN))
        with self._changed:
            member = self._roster.add(Member(key=key, state=State.HELD, user=app, claims=1))
        self._open(member, app, learned_too=False)
        return member

    def _open(self, member: Member, app: App, *, learned_too: bool) -> None:
        """Open a member's slot, or forget the member."""
        began = self._clock()
        try:
            member.opened = self._runner.open_slot(member.key)
            member.opened_at = self._clock()
            member.cold_s = member.opened_at - began
            member.baseline_mib = member.memory_mib = member.slot.memory_mib()
            if learned_too or isinstance(app.preload, tuple):
                self.prepare(member, app)
            if member.state is State.GONE:
                raise RunnerFailed("the worker is stopping")
        except BaseException:
            if member.opened is None or member.state is State.GONE:
                self._forget(member)
            else:
                self._retire(member, Reason.BROKEN)
            raise

    def _refill(self, key: SlotKey, app: App, waiting: int) -> None:
        if waiting <= 0 or free_share() < policy.FREE_SHARE_MIN:
            return
        user = app if self._learned.wanted(key.image, app) else None
        with self._changed:
            lacking = 0 if self._stopped.is_set() else self._roster.lacking(key, app, waiting)
            new = [self._roster.add(Member(key=key, state=State.QUEUED, user=user)) for _ in range(lacking)]
        for member in new:
            self._crew.open(partial(self._fill, member, app))

    def _fill(self, member: Member, app: App) -> None:
        with self._changed:
            if member.state is State.GONE or self._stopped.is_set():
                self._forget(member)
                return
            member.state = State.COMING
        began = self._clock()
        try:
            self._open(member, app, learned_too=True)
        except GridloomError as error:
            log.warning("slot_not_opened", image=member.key.image, error=error.message)
            return
        self._metrics.refilled(self._clock() - began)
        self._settle(member, member.slot.memory_mib())

    def _specialise(self, member: Member, app: App) -> None:
        """Let an idle slot import what its last app needs, unless somebody has claimed it meanwhile."""
        with self._changed:
            if member.state is not State.IDLE or member.promised:
                return
            member.state, member.user = State.COMING, app
        try:
            self.prepare(member, app)
        except RunnerFailed as error:
            log.warning("slot_broke", error=error.message)
            self._retire(member, Reason.BROKEN)
            return
        self._settle(member, member.slot.memory_mib())

    def _settle(self, member: Member, memory_mib: float) -> None:
        """Let a member wait for a task."""
        with self._changed:
            member.memory_mib, member.idle_since = memory_mib, self._clock()
            self._roster.rate(member)
            self._move(member, State.IDLE)
            spoiled = member.spoiled
        if spoiled is not None:
            self._retire(member, spoiled)
        self._trim()

    def _move(self, member: Member, state: State) -> None:
        if member.state is not State.GONE:
            member.state = state
        self._changed.notify_all()

    def _forget(self, member: Member) -> None:
        with self._changed:
            self._roster.remove(member)
            self._changed.notify_all()
        if member.opened is not None:
            member.opened.close()

    def _retire(self, member: Member, reason: Reason, *, only_from: State | None = None) -> None:
        with self._changed:
            if only_from is not None and member.state is not only_from:
                return
            if not self._roster.remove(member):
                return
            self._changed.notify_all()
        self._close_later(member, reason)

    def _close_later(self, member: Member, reason: Reason) -> None:
        self._metrics.recycled(reason)
        if member.opened is not None:
            self._crew.close(member.opened.close)

    def _trim(self, *, at_least: int = 0) -> None:
        with self._changed:
            gone = self._roster.evict(at_least=at_least)
        for member in gone:
            self._close_later(member, Reason.EVICTED)

    def _drop_imports(self, app: App) -> None:
        with self._changed:
            crashed = [it for it in self._roster if it.app == app]
            for member in crashed:
                member.spoiled = member.spoiled or Reason.CRASHES
            idle = [it for it in crashed if it.state is State.IDLE]
        for member in idle:
            self._retire(member, Reason.CRASHES, only_from=State.IDLE)

    def _idle_mib(self) -> float:
        with self._changed:
            return self._roster.idle_mib()

    def _watch(self) -> None:
        while not self._stopped.wait(TICK_S):
            try:
                self.tick()
            except Exception:
                log.exception("pool_tick_broke")
