"""The pool's decisions as plain functions: how many slots, which go first, when one has served its time."""

from collections.abc import Iterable, Sequence

from gridloom.warmth import Isolation
from worker.pool.member import Member, Reason
from worker.runners.protocol import SlotKey

TASKS_MAX = 500
AGE_MAX_S = 30 * 60.0
GROWTH_MAX = 2.0
GROWTH_FLOOR_MIB = 32.0  # a small slot may double by what the allocator happens to keep
IDLE_MAX_S = 10 * 60.0
JOB_IDLE_MAX_S = 60.0
FREE_SHARE_MIN = 0.15


def wanted_slots(key: SlotKey, places: int, running: int, waiting: int) -> int:
    """Return how many slots of the key should be open, those in use included.

    A single-use slot is of no use to the tasks after its own, so those in use don't count for what waits.
    """
    most = max(1, int(places / max(key.cores, 0.01)))
    if key.isolation is Isolation.STRICT:
        return running + min(most, waiting)
    return min(most, running + waiting)


def served_its_time(member: Member, memory_mib: float, now: float) -> Reason | None:
    """Return why a slot that was just used should be closed, or None."""
    if member.spoiled is not None:
        return member.spoiled
    bound_mib = max(GROWTH_MAX * member.baseline_mib, member.baseline_mib + GROWTH_FLOOR_MIB)
    rules = {
        Reason.DEAD: memory_mib <= 0,
        Reason.SINGLE_USE: member.served > 0 and member.key.isolation is Isolation.STRICT,
        Reason.TASKS: member.served >= TASKS_MAX,
        Reason.AGE: now - member.opened_at > AGE_MAX_S,
        Reason.MEMORY: memory_mib > bound_mib,
    }
    return next((reason for reason, applies in rules.items() if applies), None)


def idle_too_long(member: Member, now: float) -> bool:
    """Tell whether nobody has wanted a slot for too long."""
    return now - member.idle_since > (JOB_IDLE_MAX_S if member.key.job else IDLE_MAX_S)


def priority(member: Member, clock: float) -> float:
    """Return what keeping an idle slot is worth: Greedy-Dual (Cao and Irani 1997), uses x cost / size, aged by `clock`."""
    return clock + member.claims * member.cold_s / max(member.memory_mib, 1.0)


def surplus(idle: Iterable[Member], budget_mib: float, most: int) -> Sequence[Member]:
    """Return the idle slots to close so that the rest fit the budget and the number, the least worth first."""
    ranked = sorted(idle, key=lambda it: it.priority)
    memory, number, gone = sum(it.memory_mib for it in ranked), len(ranked), 0
    while gone < number and (memory > budget_mib or number - gone > most):
        memory -= ranked[gone].memory_mib
        gone += 1
    return ranked[:gone]
