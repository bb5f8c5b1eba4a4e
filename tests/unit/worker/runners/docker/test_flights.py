import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gridloom.errors import AttemptFailed, LeaseLost, RunnerFailed
from gridloom.states import EndReason
from worker.runners.docker.flights import Flights


def always():
    return True


def test_those_who_ask_for_the_same_meanwhile_share_one_run():
    flights, runs, go = Flights(2), [], threading.Event()

    def work(is_wanted):
        runs.append(1)
        go.wait(5)
        return "it"

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(flights.join, "x", work, always) for _ in range(4)]
        while sum(it.waiting for it in flights._flights.values()) < 4:
            threading.Event().wait(0.005)
        go.set()
        assert [it.result() for it in asked] == ["it"] * 4
    assert runs == [1]
    assert flights.join("x", work, always) == "it"
    assert len(runs) == 2


def test_few_run_at_once():
    flights, running, most, lock = Flights(2), [0], [0], threading.Lock()

    def work(is_wanted):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1
        return "it"

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda key: flights.join(key, work, always), range(6)))
    assert most == [2]


def test_the_last_one_who_leaves_ends_it():
    flights, ended = Flights(2), threading.Event()

    def work(is_wanted):
        while is_wanted():
            threading.Event().wait(0.005)
        ended.set()
        raise LeaseLost("no one waits")

    with pytest.raises(LeaseLost):
        flights.join("x", work, lambda: False)
    assert ended.wait(5)
    assert flights.join("x", lambda is_wanted: "again", always) == "again"


def test_one_who_leaves_does_not_end_it_for_the_others():
    flights, go = Flights(2), threading.Event()

    def work(is_wanted):
        go.wait(5)
        return "it" if is_wanted() else None

    with ThreadPoolExecutor(2) as pool:
        patient = pool.submit(flights.join, "x", work, always)
        with pytest.raises(LeaseLost):
            flights.join("x", work, lambda: False)
        go.set()
        assert patient.result() == "it"


def test_a_refusal_is_repeated_for_a_while_and_trouble_is_not(monkeypatch):
    flights, runs = Flights(2), []

    def refused(is_wanted):
        runs.append(1)
        raise AttemptFailed(EndReason.IMAGE_UNAVAILABLE, "no")

    def broken(is_wanted):
        runs.append(1)
        raise RunnerFailed("not now")

    for work, count in ((refused, 1), (broken, 3)):
        for _ in range(2):
            with pytest.raises(AttemptFailed):
                flights.join(work, work, always)
        assert len(runs) == count
    monkeypatch.setattr("worker.runners.docker.flights._REFUSED_S", -1)
    flights._refusals.clear()
    for _ in range(2):
        with pytest.raises(AttemptFailed, match="no"):
            flights.join(refused, refused, always)
    assert len(runs) == 5


def test_a_bug_reaches_those_who_wait():
    with pytest.raises(RunnerFailed, match="ZeroDivisionError"):
        Flights(1).join("x", lambda is_wanted: 1 / 0, always)
