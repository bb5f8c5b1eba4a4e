from threading import Event

import pytest

from gridloom.devices import Capacity
from gridloom.states import EndReason, Stage
from gridloom.wire import ClaimRequest
from tests.fixtures.control_plane import JOB
from worker.heartbeat import Heartbeat
from worker.leases import LeaseBook


@pytest.fixture
def rig(control_plane):
    class Rig:
        control = control_plane.client()
        book = LeaseBook()
        cancels = ()

        def take(self, *chunks):
            for chunk in chunks:
                control_plane.add(Stage.APP, chunk, data=b"")
            request = ClaimRequest(job_id=JOB, stage=Stage.APP, chunks=chunks)
            reply, _ = self.control.claim(request, lambda: False)
            return self.book.take(JOB, Stage.APP, reply.claimed, lease_s=60, asked_at=0)

    rig = Rig()
    control_plane.work = None
    rig.over = []
    rig.heartbeat = Heartbeat(
        rig.control,
        rig.book,
        60.0,
        free=lambda: Capacity(cores=1, memory_mib=1),
        metrics=lambda: "a_metric 1",
        cancels=lambda: rig.cancels,
        job_over=rig.over.append,
    )
    yield rig
    rig.control.stopping.set()
    rig.heartbeat.stop(10)
    rig.control.close()


def test_a_beat_renews_what_is_held_and_kills_what_is_lost(rig, control_plane):
    kept, lost = rig.take(0, 1)
    kills = []
    lost.start(kills.append)
    control_plane.lose(Stage.APP, 1)
    rig.heartbeat.beat()
    assert kills == [EndReason.CANCELLED]
    assert kept.confirmed_at > 0
    assert not kept.lost
    assert control_plane.metrics == "a_metric 1"


def test_a_beat_announces_what_runs(rig):
    (lease,) = rig.take(0)
    lease.start(lambda reason: None)
    rig.heartbeat.beat()
    assert lease.announced


def test_the_answer_sets_the_pace(rig, control_plane):
    control_plane.lease_s = 8.0
    (lease,) = rig.take(0)
    rig.heartbeat.beat()
    assert lease.lease_s == 8.0


def test_a_cancelled_job_is_noticed_at_once(rig, control_plane):
    (lease,) = rig.take(0)
    killed = Event()
    lease.start(lambda reason: killed.set())
    control_plane.lose(Stage.APP, 0)
    rig.cancels = (JOB,)
    rig.heartbeat.start()
    assert killed.wait(10)


def test_the_cancelling_of_other_jobs_asks_nothing(rig, control_plane):
    rig.take(0)
    rig.cancels = ("another job",)
    rig.heartbeat._listen()
    assert not rig.heartbeat._rung.is_set()
    assert rig.over == ["another job"]
    rig.cancels = ("",)
    rig.heartbeat._listen()
    assert rig.heartbeat._rung.is_set()


def test_without_an_answer_leases_are_fenced(rig, control_plane):
    (lease,) = rig.take(0)
    killed = Event()
    lease.start(lambda reason: killed.set())
    lease.confirmed_at = float("-inf")
    control_plane.answers["heartbeat"] = [503] * 99
    rig.heartbeat.start()
    assert killed.wait(10)
    assert lease.lost
