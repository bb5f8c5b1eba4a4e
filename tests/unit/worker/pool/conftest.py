"""A pool over slots that are nothing but memory of what was done to them, and a crew that works when told to."""

from collections import deque
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from gridloom.errors import RunnerFailed
from tests.fixtures.clock import Clock
from worker.pool.learning import Learned
from worker.pool.member import App
from worker.pool.metrics import Metrics
from worker.pool.warm_pool import WarmPool
from worker.runners.protocol import Ended, ImageHad, Preloaded, SlotFacts, SlotKey

KEY = SlotKey(owner="o")
APP = App(component="a")
PLACES = 4


class FakeSlot:
    def __init__(self, key, number, clock):
        self.key, self.clock = key, clock
        self.folder = Path(f"/slots/{number}")
        self.facts = SlotFacts(isolation="pretended", image=key.image, python="3.11")
        self.memory = 16.0
        self.imported = []
        self.refuses = {}
        self.result = ended()
        self.closed = 0
        self.broken = False
        self.used = False

    def run(self, execution, sink):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def kill(self, reason):
        self.killed = reason

    def preload(self, modules):
        if self.broken:
            raise RunnerFailed("broke while importing")
        imported = tuple(name for name in modules if name not in self.refuses)
        self.imported += imported
        return Preloaded(
            imported=imported,
            refused={name: self.refuses[name] for name in modules if name in self.refuses},
            took_s=0.1,
        )

    def memory_mib(self):
        return 0.0 if self.closed else self.memory

    def close(self):
        self.closed += 1


class FakeRunner:
    def __init__(self, clock):
        self.clock = clock
        self.slots = []
        self.numbers = count()
        self.takes_s = 0.2
        self.error = None
        self.during = lambda: None
        self.sweeps = 0
        self.images = {}
        self.wanted = []

    def have_image(self, wanted, go_on):
        self.wanted.append(wanted)
        return ImageHad(digest=wanted.pin or self.images.get(wanted.reference, ""))

    def open_slot(self, key):
        self.during()
        if self.error:
            raise self.error
        self.clock.now += self.takes_s
        self.slots.append(FakeSlot(key, next(self.numbers), self.clock))
        return self.slots[-1]

    def sweep(self):
        self.sweeps += 1

    @property
    def open(self):
        return [it for it in self.slots if not it.closed]


class FakeCrew:
    """Does jobs when a test says so."""

    def __init__(self):
        self.to_open = deque()
        self.to_close = deque()
        self.stopped = False

    def open(self, job):
        if not self.stopped:
            self.to_open.append(job)

    def close(self, job):
        self.to_close.append(job)

    def work(self):
        while self.to_open or self.to_close:
            (self.to_open or self.to_close).popleft()()

    def stop_opening(self):
        self.stopped = True
        self.to_open.clear()

    def stop(self):
        self.work()


def slot_of(held):
    return held._member.opened


def ended(reason=None, *, signal=None, modules=()):
    now = datetime.now(UTC)
    return Ended(
        reason=reason,
        exit_code=0,
        signal=signal,
        message="",
        started_at=now,
        ended_at=now,
        cpu_s=0.0,
        peak_memory_mib=0.0,
        modules=tuple(modules),
    )


class Rig:
    def __init__(self, folder, budget_mib=1000.0):
        self.clock = Clock()
        self.runner = FakeRunner(self.clock)
        self.crew = FakeCrew()
        self.metrics = Metrics()
        self.learned = Learned(folder / "imports.json", self.clock.monotonic)
        self.pool = WarmPool(
            self.runner,
            places=PLACES,
            budget_mib=budget_mib,
            learned=self.learned,
            metrics=self.metrics,
            crew=self.crew,
            clock=self.clock.monotonic,
        )

    def use(self, key=KEY, app=APP, *, result=None, times=1):
        """Claim, run and give back; returns the slot and the tier it was had by."""
        held = self.pool.claim(key, app)
        slot, tier = slot_of(held), held.tier
        if result is not None:
            slot.result = result
        try:
            for _ in range(times):
                held.run(None, None)
        finally:
            held.give_back()
            slot.result = ended()
        return slot, tier

    def sample(self, name):
        """Return a metric's value."""
        lines = [it for it in self.metrics.text().splitlines() if it.startswith(name)]
        return float(lines[0].split()[-1]) if lines else 0.0


@pytest.fixture
def free(monkeypatch):
    """How much of the machine's memory is free; tests change it."""
    shares = [0.9]
    monkeypatch.setattr("worker.pool.warm_pool.free_share", lambda: shares[0])
    return shares


@pytest.fixture
def rig(tmp_path, free):
    rig = Rig(tmp_path)
    yield rig
    rig.pool.close()
    assert not rig.runner.open
