from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from gridloom.devices import Capacity, Needs
from worker.ledger import Ledger

MACHINE = Capacity(cores=4, memory_mib=8192, gpus=("NVIDIA T4", "NVIDIA A100"))


def test_a_reservation_takes_and_gives_back():
    ledger = Ledger(MACHINE)
    with ledger.reserve(Needs(cores=3, memory_mib=1024), 0):
        assert ledger.free() == Capacity(cores=1, memory_mib=7168, gpus=MACHINE.gpus)
    assert ledger.free() == MACHINE


def test_what_is_not_free_is_refused_at_once_without_patience():
    ledger = Ledger(MACHINE)
    with ledger.reserve(Needs(cores=3), 0):
        assert ledger.reserve(Needs(cores=2), 0) is None
        assert ledger.reserve(Needs(cores=1, memory_mib=8192), 0) is None


def test_needs_of_more_than_the_machine_are_left_to_another():
    ledger = Ledger(MACHINE)
    for needs in (Needs(cores=5), Needs(memory_mib=8193), Needs(gpus=("NVIDIA H100",))):
        assert ledger.reserve(needs, 0) is None
    assert ledger.free() == MACHINE


def test_the_first_acceptable_gpu_is_handed_out_once():
    ledger = Ledger(MACHINE)
    needs = Needs(gpus=("nvidia-a100", "nvidia-t4"))
    with ledger.reserve(needs, 0) as first, ledger.reserve(needs, 0) as second:
        assert (first.grant.gpu, second.grant.gpu) == ("NVIDIA A100", "NVIDIA T4")
        assert ledger.reserve(needs, 0) is None
    assert sorted(ledger.free().gpus) == sorted(MACHINE.gpus)


def test_a_large_task_that_waits_is_not_overtaken_by_small_ones():
    ledger = Ledger(MACHINE)
    small = ledger.reserve(Needs(cores=1), 0)
    got = []
    large = Thread(target=lambda: got.append(ledger.reserve(Needs(cores=4), 5)))
    large.start()
    while not ledger._line:
        pass
    assert ledger.reserve(Needs(cores=1), 0) is None
    with small:
        pass
    large.join(5)
    assert got[0].grant.cores == 4


def test_closing_ends_the_waiting():
    ledger = Ledger(MACHINE)
    with ledger.reserve(Needs(cores=4), 0):
        got = []
        waiting = Thread(target=lambda: got.append(ledger.reserve(Needs(cores=4), 60)))
        waiting.start()
        ledger.close()
        waiting.join(5)
    assert got == [None]
    assert ledger.reserve(Needs(), 0) is None


@given(st.lists(st.tuples(st.floats(0.1, 5), st.integers(1, 9000)), max_size=20))
def test_nothing_is_ever_granted_twice_or_lost(wishes):
    ledger = Ledger(MACHINE)
    granted = [it for cores, mib in wishes if (it := ledger.reserve(Needs(cores=cores, memory_mib=mib), 0))]
    assert sum(it.grant.cores for it in granted) <= 4 + 1e-3
    assert sum(it.grant.memory_mib for it in granted) <= 8192
    for it in granted:
        ledger.give_back(it.grant)
    assert ledger.free() == MACHINE
