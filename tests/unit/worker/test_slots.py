import pytest

from gridloom.errors import AttemptFailed, LeaseLost, RunnerFailed
from gridloom.states import EndReason, Stage
from gridloom.wire import Claimed
from worker.leases import LeaseBook
from worker.runners.protocol import SlotKey
from worker.slots import HeldSlot, WarmSlots


class Slot:
    def __init__(self):
        self.closed = False
        self.result = "ended"
        self.kills = []

    def run(self, execution, sink):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def kill(self, reason):
        self.kills.append(reason)

    def close(self):
        self.closed = True


class Runner:
    def __init__(self):
        self.slots = []

    def open_slot(self, key):
        self.slots.append(Slot())
        return self.slots[-1]


def key(owner):
    return SlotKey(owner=owner, component="c", revision=1, image="", memory_mib=1)


@pytest.fixture
def runner():
    return Runner()


@pytest.fixture
def warm(runner):
    return WarmSlots(runner, max_idle=2)


@pytest.fixture
def lease():
    return LeaseBook().take("j", Stage.APP, [Claimed(chunk=0, attempt=1)], lease_s=60, asked_at=0)[0]


def test_a_slot_is_used_again_by_the_same_owner_only(warm, runner):
    slot = warm.take(key("a"))
    warm.give_back(key("a"), slot)
    assert warm.take(key("b")) is not slot
    assert warm.take(key("a")) is slot
    assert len(runner.slots) == 2


def test_the_slot_idle_longest_is_closed_first(warm, runner):
    slots = [warm.take(key(owner)) for owner in "abc"]
    for owner, slot in zip("abc", slots, strict=True):
        warm.give_back(key(owner), slot)
    assert [slot.closed for slot in slots] == [True, False, False]
    warm.close()
    assert all(slot.closed for slot in slots)


def test_a_bundle_holds_one_slot_and_gives_it_back(warm, runner, lease):
    held = HeldSlot(warm, key("a"))
    assert held.run(None, None, lease) == "ended"
    held.run(None, None, lease)
    held.give_back()
    assert len(runner.slots) == 1
    assert warm.take(key("a")) is runner.slots[0]


@pytest.mark.parametrize("error", [RunnerFailed("broke"), ValueError("odd")])
def test_a_slot_that_broke_is_closed_and_replaced(warm, runner, lease, error):
    held = HeldSlot(warm, key("a"))
    held.run(None, None, lease)
    runner.slots[0].result = error
    with pytest.raises(type(error)):
        held.run(None, None, lease)
    assert runner.slots[0].closed
    held.run(None, None, lease)
    assert len(runner.slots) == 2


def test_a_script_that_can_not_start_leaves_the_slot_as_it_was(warm, runner, lease):
    held = HeldSlot(warm, key("a"))
    held.run(None, None, lease)
    runner.slots[0].result = AttemptFailed(EndReason.BAD_COMPONENT, "no interpreter")
    with pytest.raises(AttemptFailed):
        held.run(None, None, lease)
    assert not runner.slots[0].closed


def test_nothing_runs_under_an_ended_lease_and_no_kill_comes_after_a_run(warm, runner, lease):
    held = HeldSlot(warm, key("a"))
    held.run(None, None, lease)
    lease.end(EndReason.CANCELLED)
    assert runner.slots[0].kills == []
    with pytest.raises(LeaseLost):
        held.run(None, None, lease)
