"""Unit tests of the pool's decisions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.warmth import Isolation
from tests.unit.worker.pool.conftest import KEY
from worker.pool import policy
from worker.pool.member import Member, Reason, State


def member(**more):
    return Member(key=more.pop("key", KEY), state=State.IDLE, baseline_mib=16.0, **more)


@pytest.mark.parametrize(
    ("cores", "isolation", "running", "waiting", "wanted"),
    [
        (1, Isolation.TASK, 1, 0, 1),
        (1, Isolation.TASK, 1, 9, 4),
        (0.25, Isolation.TASK, 3, 9, 12),
        (3, Isolation.APP, 1, 9, 1),
        (9, Isolation.TASK, 0, 1, 1),
        (1, Isolation.STRICT, 4, 2, 6),
        (1, Isolation.STRICT, 4, 90, 8),
        (0, Isolation.TASK, 0, 3, 3),
    ],
)
def test_slots_follow_what_runs_and_waits(cores, isolation, running, waiting, wanted):
    key = replace(KEY, cores=cores, isolation=isolation)
    assert policy.wanted_slots(key, 4, running, waiting) == wanted


@pytest.mark.parametrize(
    ("changes", "memory_mib", "reason"),
    [
        ({}, 16, None),
        ({}, 47, None),
        ({}, 49, Reason.MEMORY),
        ({}, 0, Reason.DEAD),
        ({"served": 499}, 16, None),
        ({"served": 500}, 16, Reason.TASKS),
        ({"opened_at": -1801.0}, 16, Reason.AGE),
        ({"spoiled": Reason.BROKEN}, 16, Reason.BROKEN),
        ({"key": replace(KEY, isolation=Isolation.STRICT)}, 16, None),
        ({"key": replace(KEY, isolation=Isolation.STRICT), "served": 1}, 16, Reason.SINGLE_USE),
    ],
)
def test_a_slot_goes_for_one_reason(changes, memory_mib, reason):
    assert policy.served_its_time(member(**changes), memory_mib, 0.0) is reason


def test_use_and_cost_speak_for_a_slot_and_memory_against_it():
    plain = member(claims=1, cold_s=0.2, memory_mib=20.0)
    for better in ({"claims": 2}, {"cold_s": 0.4}, {"memory_mib": 10.0}):
        other = member(**{"claims": 1, "cold_s": 0.2, "memory_mib": 20.0} | better)
        assert policy.priority(other, 0.0) > policy.priority(plain, 0.0)
    assert policy.priority(plain, 1.0) > policy.priority(other, 0.0)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), max_size=20),
    st.floats(0, 500),
    st.integers(0, 20),
)
def test_what_is_kept_fits_and_is_worth_most(slots, budget_mib, most):
    idle = [member(memory_mib=memory, priority=worth) for memory, worth in slots]
    gone = policy.surplus(idle, budget_mib, most)
    kept = [it for it in idle if it not in gone]
    assert len(kept) <= most
    assert sum(it.memory_mib for it in kept) <= budget_mib + 1e-6
    if kept and gone:
        assert max(it.priority for it in gone) <= min(it.priority for it in kept)
