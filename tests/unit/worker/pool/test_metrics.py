"""Unit tests of what a worker counts."""

from prometheus_client import REGISTRY, Counter

from gridloom.states import EndReason
from gridloom.warmth import Tier
from gridloom.wire import Spent
from worker.pool.member import Reason, State
from worker.pool.metrics import Metrics
from worker.runners.protocol import Preloaded


def test_what_runners_count_is_told_too_and_nothing_else_of_the_process():
    counter = Counter("gridloom_runner_test", "A test's")
    try:
        assert "gridloom_runner_test_total 0.0" in Metrics().text()
        assert "python_info" not in Metrics().text()
    finally:
        REGISTRY.unregister(counter)


def test_everything_counted_is_in_the_text_under_its_name():
    metrics = Metrics()
    metrics.watch(lambda: {State.IDLE: 3}, lambda: 2.0)
    metrics.claimed(Tier.WARM, 0.001)
    metrics.claimed(Tier.COLD, 0.3)
    metrics.refilled(0.2)
    metrics.recycled(Reason.TASKS)
    metrics.preloaded(Preloaded(imported=("a", "b"), refused={"c": "no"}, took_s=0.3))
    metrics.ended(EndReason.OUT_OF_MEMORY)
    metrics.ended(EndReason.TIMEOUT)
    metrics.ended(None)
    metrics.spent(Spent(ran_s=2.0))
    lines = metrics.text().splitlines()
    for line in (
        'gridloom_pool_claim_seconds_count{tier="warm"} 1.0',
        'gridloom_pool_claim_seconds_count{tier="cold"} 1.0',
        "gridloom_pool_claims_total 2.0",
        "gridloom_pool_warm_hits_total 1.0",
        "gridloom_pool_refill_seconds_count 1.0",
        'gridloom_recycle_total{reason="tasks"} 1.0',
        'gridloom_task_phase_seconds_sum{phase="ran"} 2.0',
        "gridloom_oom_total 1.0",
        "gridloom_timeout_kill_total 1.0",
        "gridloom_preload_seconds_sum 0.3",
        "gridloom_preload_modules_total 2.0",
        "gridloom_preload_denied_total 1.0",
        'gridloom_pool_members{state="idle"} 3.0',
        'gridloom_pool_members{state="held"} 0.0',
        "gridloom_idle_memory_bytes 2.097152e+06",
    ):
        assert line in lines
    assert "_created" not in metrics.text()
    assert len(metrics.text()) < 20_000
