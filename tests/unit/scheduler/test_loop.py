"""One thread, a whole job: the scheduler decides, and a worker made of its own functions does."""

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from broker.wakeup import Wakeup
from gridloom.states import EndReason, JobState, Stage
from scheduler import ending, loop
from scheduler.loop import Scheduler
from storage.folder import FolderStore
from storage.repositories import stale_blobs
from tests.fixtures.clock import Clock
from tests.fixtures.fabric import chunk, file, plan_of, result, stage_of


class Queues:
    """Hints that wait; the fake worker takes all of them."""

    def __init__(self):
        self.waiting = []

    def depths(self, queues):
        return {name: sum(queue == name for queue, _ in self.waiting) for name in queues}

    def send(self, hints):
        self.waiting += hints
        return len(hints)

    def take(self):
        taken, self.waiting = [hint for _, hint in self.waiting], []
        return taken


class Bell:
    """Notes who was cancelled; nobody waits in a test of one thread."""

    def __init__(self):
        self.cancelled = []

    def cancel(self, job_id):
        self.cancelled.append(job_id)


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(loop, "time", found)
    return found


@pytest.fixture
def queues():
    return Queues()


@pytest.fixture
def bell():
    return Bell()


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "objects")


@pytest.fixture
def scheduler(fabric, queues, bell, store, clock):
    return Scheduler(fabric.database, store, queues, bell, fabric.settings)


@pytest.fixture(autouse=True)
def logs():
    with capture_logs() as found:
        yield found


def work(fabric, queues, worker_id, fail_first=()):
    """Do what waits as a worker would; chunks of `fail_first` fail on their first attempt. Tells whether any did."""
    taken = queues.take()
    for hint in taken:
        for index, attempt in fabric.claim(worker_id, hint.job_id, hint.stage, *hint.chunks).items():
            if hint.stage is Stage.PARTITION:
                fabric.register(worker_id, hint.job_id, attempt, *(chunk(it) for it in range(5)))
                ended = result(0, attempt, total=5)
            elif index in fail_first and attempt == 1:
                ended = result(index, attempt, reason=EndReason.EXIT_NONZERO)
            else:
                ended = result(index, attempt, files=(file("out", key=f"{hint.stage}-{index}"),))
            assert fabric.commit(worker_id, hint.job_id, hint.stage, ended).dropped == ()
    return bool(taken)


@pytest.mark.parametrize("passthrough", [False, True])
def test_a_job_goes_from_run_to_complete(fabric, scheduler, queues, logs, passthrough):
    worker_id = fabric.worker()
    plan = plan_of(assembler=stage_of(passthrough=passthrough), max_task_retries=1)
    job_id = fabric.run(plan)
    scheduler.step({job_id})
    while work(fabric, queues, worker_id, fail_first=(3,)):
        scheduler.step({job_id})
    row = fabric.job(job_id)
    assert (row.state, row.chunks, row.completed) == (JobState.COMPLETE, 5, 5)
    assert len(row.state_times) == len(JobState) - 2
    assert [it.chunk for it in fabric.attempts(job_id)] == [3]
    assert len(fabric.outputs(job_id)) == (5 if passthrough else 0)
    assert [it["event"] for it in logs] == (["job_ended"] if passthrough else [])


def test_a_failed_job_is_told_to_everybody(fabric, scheduler, queues, bell, logs):
    worker_id, job_id = fabric.worker(), fabric.run()
    scheduler.step({job_id})
    for _ in range(2):
        work(fabric, queues, worker_id, fail_first=range(5))
        scheduler.step({job_id})
    assert fabric.state(job_id) is JobState.FAILED
    assert bell.cancelled == [job_id]
    assert [it["event"] for it in logs] == ["job_ended"]
    assert scheduler._live == set()


def test_without_being_woken_it_looks_at_each_tick(fabric, scheduler, queues, clock):
    fabric.worker()
    scheduler.step(set())
    job_id = fabric.run()
    clock.now += 1
    scheduler.step(set())
    assert queues.waiting == []
    clock.now += 4
    scheduler.step(set())
    assert [hint.job_id for _, hint in queues.waiting] == [job_id]
    assert scheduler._pause_s() == pytest.approx(1.0)


def test_an_aborted_job_leaves_its_hints_worthless(fabric, scheduler, queues):
    worker_id, job_id = fabric.worker(), fabric.run()
    scheduler.step({job_id})
    fabric.write(ending.abort, job_id, fabric.settings)
    scheduler.step({job_id})
    assert not fabric.claim(worker_id, job_id, Stage.PARTITION, 0)
    assert fabric.state(job_id) is JobState.ABORTED


def test_only_the_leader_acts_and_another_follows_when_it_is_gone(
    fabric, scheduler, queues, bell, store, clock
):
    other = Scheduler(fabric.database, store, queues, bell, fabric.settings)
    fabric.worker()
    scheduler.step(set())
    job_id = fabric.run()
    other.step({job_id})
    assert queues.waiting == []
    fabric.write(lambda connection: connection.exec_driver_sql("UPDATE locks SET until = 0"))
    clock.now += 60
    other.step(set())
    assert len(queues.waiting) == 1
    scheduler.step({job_id})
    assert len(queues.waiting) == 1


def test_two_that_both_believe_to_lead_do_no_harm(fabric, scheduler, queues, bell, store):
    other = Scheduler(fabric.database, store, queues, bell, fabric.settings)
    other._lead = scheduler._lead = lambda: True
    worker_id, job_id = fabric.worker(), fabric.run(plan_of(assembler=stage_of(passthrough=True)))
    for each in (scheduler, other) * 8:
        each.step({job_id})
        work(fabric, queues, worker_id)
    assert (fabric.state(job_id), fabric.job(job_id).completed) == (JobState.COMPLETE, 5)
    assert len(fabric.outputs(job_id)) == 5


def test_a_job_that_cannot_be_understood_stops_no_other(fabric, scheduler, monkeypatch, logs):
    broken, good = fabric.run_chunks(1), fabric.run_chunks(1)
    moved = []

    def progress(_connection, job_id, _settings):
        moved.append(job_id)
        if job_id == broken:
            raise ValueError("no such thing")
        return False

    monkeypatch.setattr("scheduler.loop.progress", progress)
    scheduler.step({broken, good})
    assert set(moved) == {broken, good}
    assert [it["job"] for it in logs if it["event"] == "job_not_moved"] == [broken]


def test_names_of_nothing_do_no_harm(fabric, scheduler):
    scheduler.step({"", "nothing"})
    draft = fabric.draft()
    scheduler.step({draft})
    assert fabric.state(draft) is JobState.NEW


def test_bytes_that_are_due_are_swept(fabric, scheduler, store, clock):
    job_id = fabric.run()
    store.put_bytes(f"jobs/{job_id}/x", b"x")
    past = datetime.now(UTC) - timedelta(days=3)
    fabric.set_job(job_id, state=JobState.ABORTED, ended_at=past)
    scheduler.step(set())
    assert list(store.list()) == []


def test_a_round_that_loses_a_conflict_is_done_again_with_what_woke_it(scheduler, monkeypatch):
    stop, rounds = threading.Event(), []

    class Deadlock(Exception):
        sqlstate = "40P01"

    def broken(woken):
        rounds.append(woken)
        if len(rounds) == 2:
            stop.set()
            return
        raise OperationalError("SELECT 1", {}, Deadlock())

    monkeypatch.setattr(scheduler, "_wait", lambda _stop: {"a job"})
    monkeypatch.setattr(scheduler, "step", broken)
    scheduler.run(stop)
    assert rounds == [{"a job"}, {"a job"}]


def test_it_survives_a_database_that_is_away_and_is_patient_afterwards(fabric, scheduler, monkeypatch, logs):
    stop, rounds = threading.Event(), []

    class Waiting:
        def wait(self, _timeout_s):
            return set()

    def step(_woken):
        rounds.append(1)
        if len(rounds) == 2:
            stop.set()
            return
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    patient = []
    scheduler._wakeup = Waiting()
    monkeypatch.setattr(scheduler, "step", step)
    monkeypatch.setattr(scheduler._reconciler, "be_patient", lambda: patient.append(1))
    monkeypatch.setattr(stop, "wait", lambda _timeout_s: None)
    scheduler.run(stop)
    assert (len(rounds), len(patient)) == (2, 1)
    assert [it["event"] for it in logs] == ["round_failed"]


def test_a_wake_up_is_acted_on_at_once(fabric, queues, store, valkey):
    stop = threading.Event()
    with closing(Wakeup(valkey)) as wakeup:
        scheduler = Scheduler(fabric.database, store, queues, wakeup, fabric.settings)
        fabric.worker()
        scheduler.step(set())
        thread = threading.Thread(target=scheduler.run, args=(stop,))
        thread.start()
        wakeup.notify(fabric.run())
        deadline = datetime.now(UTC) + timedelta(seconds=4)
        while not queues.waiting and datetime.now(UTC) < deadline:
            stop.wait(0.01)
        stop.set()
        wakeup.notify("")
        thread.join(10)
    assert len(queues.waiting) == 1


def test_a_follower_leaves_wake_ups_to_the_leader(fabric, scheduler, queues, store, valkey):
    scheduler.step(set())
    stop = threading.Event()
    with closing(Wakeup(valkey)) as wakeup:
        follower = Scheduler(fabric.database, store, queues, wakeup, fabric.settings)
        thread = threading.Thread(target=follower.run, args=(stop,))
        thread.start()
        wakeup.notify("job")
        stop.wait(0.3)
        stop.set()
        thread.join(10)
        assert wakeup.wait(0.1) == {"job"}


def test_the_loop_removes_bytes_that_lost_their_name(fabric, scheduler, store, monkeypatch):
    store.put_bytes("cache/a", b"bytes")
    monkeypatch.setattr(stale_blobs, "GRACE_S", 0.0)
    fabric.write(stale_blobs.drop, ["cache/a"])
    scheduler.step(set())
    assert list(store.list()) == []
