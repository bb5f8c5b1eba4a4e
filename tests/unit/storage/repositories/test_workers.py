"""Who is connected, whose token is whose, and who leads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from gridloom.devices import Capacity
from gridloom.wire import RegisterRequest
from storage.repositories import workers


def register(fabric, worker_id, name="w"):
    request = RegisterRequest(
        name=name,
        incarnation="i",
        version="0",
        host="h",
        runner="mock",
        isolation="none",
        slots=3,
        capacity=Capacity(cores=2.5, memory_mib=99, gpus=("T4",)),
    )
    return fabric.write(workers.register, worker_id, f"token of {worker_id}", request)


def by_token(fabric, worker_id):
    return fabric.write(workers.by_token, workers.token_hash(f"token of {worker_id}"))


def live(fabric, within_s=60):
    return [row.id for row in fabric.write(workers.live, within_s)]


def test_a_worker_is_known_by_its_token(fabric):
    assert register(fabric, "one") == []
    assert by_token(fabric, "one") == "one"
    assert by_token(fabric, "other") is None
    (row,) = fabric.write(workers.live, 60)
    assert (row.slots, row.cores, row.memory_mib, row.gpus) == (3, 2.5, 99, ["T4"])


def test_a_new_start_replaces_the_earlier_one_of_the_same_name(fabric):
    register(fabric, "one")
    register(fabric, "neighbour", name="other")
    assert register(fabric, "two") == ["one"]
    assert (by_token(fabric, "one"), by_token(fabric, "two")) == (None, "two")
    assert live(fabric) == ["neighbour", "two"]


def test_who_was_not_heard_of_is_not_counted_on_until_it_is_again(fabric):
    register(fabric, "one")
    fabric.set_worker("one", seen_at=datetime.now(UTC) - timedelta(minutes=2))
    assert live(fabric) == []
    fabric.write(workers.seen, "one")
    assert live(fabric) == ["one"]


def test_a_retired_worker_is_gone(fabric):
    register(fabric, "one")
    fabric.write(workers.retire, ["one"])
    assert live(fabric) == []
    assert by_token(fabric, "one") is None


def test_one_leads_until_its_lease_is_over(fabric):
    assert fabric.write(workers.lead, "scheduler", "a", 60)
    assert not fabric.write(workers.lead, "scheduler", "b", 60)
    assert fabric.write(workers.lead, "scheduler", "a", -1)
    assert fabric.write(workers.lead, "scheduler", "b", 60)
    assert not fabric.write(workers.lead, "scheduler", "a", 60)
    assert fabric.write(workers.lead, "another", "a", 60)


def test_of_many_that_start_at_once_one_leads(fabric):
    barrier = threading.Barrier(4)

    def lead(name):
        barrier.wait()
        return fabric.write(workers.lead, "scheduler", name, 60)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lead, "abcd")) == [False, False, False, True]
