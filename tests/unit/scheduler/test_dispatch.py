"""Queues are kept filled to their window and no further, fairly, and lost hints are found again."""

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from broker.app import KEY_PREFIX
from broker.hints import HintQueues
from broker.redis_link import redis_client
from gridloom.devices import Needs
from gridloom.states import Stage, TaskState
from scheduler.bundles import WINDOW
from scheduler.dispatch import Dispatcher
from storage.tables import accounts, jobs
from tests.fixtures.fabric import Fabric, chunk, plan_of, stage_of
from tests.fixtures.tables import open_database

QUEUE = "cpu.c1.m1"


class FakeQueues:
    """Keeps what is sent; a test may take from it, lose it, or refuse what comes."""

    def __init__(self):
        self.sent, self.capacity, self.away = [], 10**9, False

    def depths(self, queues):
        return None if self.away else {name: sum(queue == name for queue, _ in self.sent) for name in queues}

    def send(self, hints):
        taken = hints[: self.capacity]
        self.sent += taken
        return len(taken)


@pytest.fixture
def queues():
    return FakeQueues()


@pytest.fixture
def dispatcher(fabric, queues):
    return Dispatcher(fabric.database, queues, fabric.settings)


def jobs_of(queues):
    return Counter(hint.job_id for _, hint in queues.sent)


def hinted_before(fabric, job_id, index, seconds):
    fabric.set_task(job_id, index, hinted_at=datetime.now(UTC) - timedelta(seconds=seconds))


def test_what_is_handed_out_is_marked_and_sent_to_its_class(fabric, dispatcher, queues):
    fabric.worker()
    job_id = fabric.run_chunks(3)
    assert dispatcher.round() == {}
    assert fabric.states(job_id) == [TaskState.ASSIGNED] * 3
    assert [(queue, hint.stage, hint.chunks, hint.needs) for queue, hint in queues.sent] == [
        (QUEUE, Stage.APP, (it,), Needs()) for it in range(3)
    ]
    queues.sent.clear()
    dispatcher.round()
    assert queues.sent == []


def test_every_stage_is_handed_out_and_chunks_while_the_partitioner_runs(fabric, dispatcher, queues):
    worker_id, job_id = fabric.worker(), fabric.run()
    dispatcher.round()
    assert [(hint.stage, hint.chunks) for _, hint in queues.sent] == [(Stage.PARTITION, (0,))]
    fabric.claim(worker_id, job_id, Stage.PARTITION, 0)
    fabric.register(worker_id, job_id, 1, chunk(0))
    dispatcher.round()
    assert [(hint.stage, hint.chunks) for _, hint in queues.sent[1:]] == [(Stage.APP, (0,))]


def test_the_window_is_three_hints_for_each_slot(fabric, dispatcher, queues):
    fabric.worker(slots=2)
    fabric.run_chunks(50)
    for _ in range(3):
        dispatcher.round()
        assert len(queues.sent) == WINDOW * 2
    del queues.sent[:2]
    dispatcher.round()
    assert len(queues.sent) == WINDOW * 2


def test_known_short_tasks_travel_in_bundles(fabric, dispatcher, queues):
    fabric.worker(slots=1)
    job_id = fabric.run_chunks(1000)
    fabric.set_job(job_id, completed=10, busy_s=0.1)
    dispatcher.round()
    assert [len(hint.chunks) for _, hint in queues.sent] == [50] * WINDOW
    assert [it for _, hint in queues.sent for it in hint.chunks] == list(range(150))


def test_bundles_shrink_with_what_is_not_handed_out_yet(fabric, dispatcher, queues):
    fabric.worker(slots=1)
    job_id = fabric.run_chunks(300)
    fabric.set_job(job_id, completed=10, busy_s=0.1)
    sizes = []
    for _ in range(6):
        dispatcher.round()
        sizes.append(len(queues.sent[-1][1].chunks))
        del queues.sent[0]
    assert sizes[0] == 50
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 20


def test_chunks_that_infrastructure_failed_before_travel_alone(fabric, dispatcher, queues):
    fabric.worker(slots=2)
    job_id = fabric.run_chunks(60)
    fabric.set_job(job_id, completed=10, busy_s=0.1)
    fabric.set_task(job_id, 1, infra_failures=1)
    dispatcher.round()
    sent = [hint.chunks for _, hint in queues.sent]
    assert (1,) in sent
    assert not any(1 in chunks for chunks in sent if len(chunks) > 1)
    assert len({it for chunks in sent for it in chunks}) == sum(map(len, sent))


@pytest.mark.parametrize(("weight", "expected"), [(1.0, (6, 6)), (3.0, (9, 3))])
def test_two_owners_share_the_queue_by_their_weights(fabric, dispatcher, queues, weight, expected):
    fabric.worker(slots=4)
    ada, bob = fabric.run_chunks(90, owner="ada"), fabric.run_chunks(90, owner="bob")
    fabric.write(
        lambda it: it.execute(update(accounts).where(accounts.c.user_name == "ada").values(weight=weight))
    )
    dispatcher.round()
    assert (jobs_of(queues)[ada], jobs_of(queues)[bob]) == expected


def test_an_owner_with_much_in_flight_waits_for_the_other(fabric, dispatcher, queues):
    fabric.worker(slots=4)
    many = fabric.run_chunks(90, owner="ada")
    fabric.claim(fabric.worker("busy"), many, Stage.APP, *range(20, 28))
    few = fabric.run_chunks(90, owner="bob")
    dispatcher.round()
    assert jobs_of(queues)[few] - jobs_of(queues)[many] >= 6


def test_priority_goes_first_and_age_decides_between_equals(fabric, dispatcher, queues):
    fabric.worker(slots=1)
    fabric.run_chunks(9)
    urgent = fabric.run_chunks(2, priority=7)
    dispatcher.round()
    assert [hint.job_id for _, hint in queues.sent][:2] == [urgent, urgent]
    assert jobs_of(queues)[urgent] == 2
    assert len(queues.sent) == WINDOW


@pytest.mark.parametrize(("priority", "expected"), [(1, (6, 6)), (-1, (0, 12))])
def test_an_owner_gets_behind_others_by_priority_but_not_ahead(
    fabric, dispatcher, queues, priority, expected
):
    fabric.worker(slots=4)
    ada, bob = fabric.run_chunks(90, owner="ada", priority=priority), fabric.run_chunks(90, owner="bob")
    dispatcher.round()
    assert (jobs_of(queues)[ada], jobs_of(queues)[bob]) == expected


def test_ten_tasks_do_not_wait_for_another_owners_thousands(fabric, dispatcher, queues):
    worker = fabric.worker(slots=2)
    many = fabric.run_chunks(2000, owner="ada")
    dispatcher.round()
    few = fabric.run_chunks(10, owner="bob")
    for hint in [hint for _, hint in queues.sent]:
        fabric.claim(worker, many, Stage.APP, *hint.chunks)
    queues.sent.clear()
    dispatcher.round()
    assert jobs_of(queues)[few] == len(queues.sent)


def test_a_planned_job_that_fits_nowhere_waits_for_its_start(fabric, dispatcher, queues):
    fabric.worker()
    planned = fabric.run(
        plan_of(partitioner=stage_of(Needs(cores=64))), start_at=datetime(2099, 1, 1, tzinfo=UTC)
    )
    assert dispatcher.round() == {}
    assert fabric.job(planned).warning == ""
    fabric.write(lambda it: it.execute(update(jobs).values(started_at=datetime(2020, 1, 1, tzinfo=UTC))))
    assert dispatcher.round()[planned].final is True


def test_a_hint_that_left_the_queue_unclaimed_is_sent_again_after_seconds(fabric, dispatcher, queues):
    fabric.worker()
    job_id = fabric.run_chunks(2)
    dispatcher.round()
    queues.sent.clear()
    hinted_before(fabric, job_id, 0, 4)
    with capture_logs() as logs:
        dispatcher.round()
    assert [hint.chunks for _, hint in queues.sent] == [(0,)]
    assert [it["event"] for it in logs] == ["hints_lost"]


def test_a_hint_behind_others_is_given_half_a_minute(fabric, dispatcher, queues):
    fabric.worker()
    job_id = fabric.run_chunks(2)
    dispatcher.round()
    del queues.sent[0]
    hinted_before(fabric, job_id, 0, 29)
    dispatcher.round()
    assert len(queues.sent) == 1
    hinted_before(fabric, job_id, 0, 31)
    with capture_logs():
        dispatcher.round()
    assert [hint.chunks for _, hint in queues.sent] == [(1,), (0,)]


def test_what_could_not_be_sent_is_taken_back(fabric, dispatcher, queues):
    fabric.worker()
    job_id = fabric.run_chunks(3)
    queues.capacity = 1
    dispatcher.round()
    assert fabric.states(job_id) == [TaskState.ASSIGNED, TaskState.SCHEDULED, TaskState.SCHEDULED]


def test_while_the_broker_is_away_nothing_is_marked(fabric, dispatcher, queues):
    fabric.worker()
    job_id = fabric.run_chunks(3)
    queues.away = True
    dispatcher.round()
    assert fabric.states(job_id) == [TaskState.SCHEDULED] * 3


def test_a_job_without_a_place_is_named_with_the_reason_until_it_has_one(fabric, dispatcher, queues):
    job_id = fabric.run_chunks(1, plan_of(app=stage_of(Needs(cores=64))))
    assert dispatcher.round()[job_id].final is False
    assert fabric.job(job_id).warning == "no worker is connected"
    fabric.worker()
    assert dispatcher.round()[job_id].final is True
    assert "64 CPU" in fabric.job(job_id).warning
    assert queues.sent == []
    fabric.worker("big", cores=64.0)
    assert dispatcher.round() == {}
    assert fabric.job(job_id).warning == ""
    assert len(queues.sent) == 1


def test_a_job_whose_plan_cannot_be_read_stops_no_other(fabric, dispatcher, queues):
    fabric.worker()
    broken, good = fabric.run_chunks(1), fabric.run_chunks(1)
    with fabric.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == broken).values(plan={"from": "another version"}))
    with capture_logs() as logs:
        homeless = dispatcher.round()
    assert homeless.keys() == {broken}
    assert homeless[broken].final
    assert jobs_of(queues) == {good: 1}
    assert [it["event"] for it in logs] == ["plan_unreadable"]


def test_an_apps_clamped_needs_are_shown_from_the_start(database, queues):
    fabric = Fabric(database, clamp_needs=True)
    dispatcher = Dispatcher(database, queues, fabric.settings)
    fabric.worker()
    job_id = fabric.run(plan_of(app=stage_of(Needs(cores=64))))
    assert dispatcher.round() == {}
    assert "running on the largest one all the same" in fabric.job(job_id).warning


def test_ended_jobs_get_nothing_and_are_forgotten(fabric, dispatcher, queues):
    fabric.worker()
    job_id = fabric.run_chunks(1)
    dispatcher.round()
    assert set(dispatcher._plans) == {job_id}
    fabric.set_job(job_id, state="JOB_STATE_ABORTED")
    queues.sent.clear()
    dispatcher.round()
    assert (queues.sent, dispatcher._plans) == ([], {})


def test_with_a_real_broker_the_window_holds_and_a_flush_is_survived(valkey, tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'db'}")
    fabric = Fabric(database, rehint_s=0)
    fabric.worker(slots=2)
    job_id = fabric.run_chunks(20)
    with closing(HintQueues(valkey)) as queues, redis_client(valkey) as client, capture_logs():
        dispatcher = Dispatcher(database, queues, fabric.settings)
        for _ in range(3):
            dispatcher.round()
            assert client.llen(KEY_PREFIX + QUEUE) <= WINDOW * 2
        client.flushall()
        dispatcher.round()
        assert client.llen(KEY_PREFIX + QUEUE) == WINDOW * 2
        assert fabric.states(job_id).count(TaskState.ASSIGNED) == WINDOW * 2
    database.close()
