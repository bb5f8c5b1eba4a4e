"""What a worker counts of its pool and tasks, in Prometheus' text format; it travels with each heartbeat."""

from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gridloom.states import EndReason
from gridloom.warmth import Tier
from gridloom.wire import Spent
from worker.pool.member import Reason, State
from worker.runners.protocol import Preloaded

_PHASES = ("pulled", "claimed", "fetched", "ran", "stored")
_SHORT_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_LONG_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800)
_MIB = 1024 * 1024


class Metrics:
    """The worker's registry; safe for use by many threads."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a time stamp for each series would double the text
        registry = self._registry = CollectorRegistry()
        registry.register(_Runners())
        self._claims = Histogram(
            "gridloom_pool_claim_seconds", "Wait for a slot", ["tier"], buckets=_SHORT_S, registry=registry
        )
        self._hits = Counter("gridloom_pool_warm_hits", "Claims that found a warm slot", registry=registry)
        self._all_claims = Counter("gridloom_pool_claims", "Claims of slots", registry=registry)
        self._refills = Histogram(
            "gridloom_pool_refill_seconds", "Opening ahead of claims", buckets=_SHORT_S, registry=registry
        )
        self._recycled = Counter("gridloom_recycle", "Slots closed", ["reason"], registry=registry)
        self._phases = Histogram(
            "gridloom_task_phase_seconds", "Phases of tasks", ["phase"], buckets=_LONG_S, registry=registry
        )
        self._oom = Counter("gridloom_oom", "Tasks that ran out of memory", registry=registry)
        self._timeouts = Counter("gridloom_timeout_kill", "Tasks killed at their deadline", registry=registry)
        self._preloads = Histogram(
            "gridloom_preload_seconds", "Importing ahead of tasks", buckets=_SHORT_S, registry=registry
        )
        self._modules = Counter("gridloom_preload_modules", "Modules imported ahead", registry=registry)
        self._denied = Counter("gridloom_preload_denied", "Modules refused", registry=registry)
        self._members = Gauge("gridloom_pool_members", "Slots", ["state"], registry=registry)
        self._memory = Gauge("gridloom_idle_memory_bytes", "Memory of idle slots", registry=registry)

    def watch(self, counts: Callable[[], dict[State, int]], idle_mib: Callable[[], float]) -> None:
        """Ask these for the pool's size whenever the text is made."""
        for state in (State.QUEUED, State.COMING, State.IDLE, State.HELD):
            self._members.labels(state).set_function(partial(_count, counts, state))
        self._memory.set_function(lambda: idle_mib() * _MIB)

    def claimed(self, tier: Tier, took_s: float) -> None:
        """Count a claim."""
        self._all_claims.inc()
        if tier is Tier.WARM:
            self._hits.inc()
        self._claims.labels(tier).observe(took_s)

    def refilled(self, took_s: float) -> None:
        """Count a slot opened ahead of its claim."""
        self._refills.observe(took_s)

    def recycled(self, reason: Reason) -> None:
        """Count a slot closed."""
        self._recycled.labels(reason).inc()

    def preloaded(self, done: Preloaded) -> None:
        """Count imports made ahead."""
        self._preloads.observe(done.took_s)
        self._modules.inc(len(done.imported))
        self._denied.inc(len(done.refused))

    def ended(self, reason: EndReason | None) -> None:
        """Count the ends that limits make."""
        if reason is EndReason.OUT_OF_MEMORY:
            self._oom.inc()
        elif reason is EndReason.TIMEOUT:
            self._timeouts.inc()

    def spent(self, spent: Spent) -> None:
        """Count where an attempt's time went."""
        for phase in _PHASES:
            self._phases.labels(phase).observe(getattr(spent, f"{phase}_s"))

    def text(self) -> str:
        """Return all of it."""
        return generate_latest(self._registry).decode()


class _Runners(Collector):
    """What runners count, in the registry of the process."""

    def collect(self) -> Iterable[Metric]:
        """Return our own of it."""
        return [it for it in REGISTRY.collect() if it.name.startswith("gridloom_")]


def _count(counts: Callable[[], dict[State, int]], state: State) -> float:
    return counts().get(state, 0)
