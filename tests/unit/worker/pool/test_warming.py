"""Unit tests of warming at submission."""

from threading import Event

import pytest

from gridloom.devices import Capacity, Needs
from gridloom.errors import Unavailable
from gridloom.states import Stage
from gridloom.warmth import Tier
from gridloom.wire import Wanted, WarmReply
from tests.unit.worker.pool.test_bundle_slot import COMPONENT
from worker.pool.bundle_slot import app_of, slot_key
from worker.pool.warming import WAITING_MAX, Warming

IMAGE = COMPONENT.model_copy(update={"id": "i", "image": "python:3"})


@pytest.fixture
def stages():
    return [Wanted(stage=Stage.APP, owner_id="o", component=IMAGE, needs=Needs(cores=1))]


@pytest.fixture
def warming(rig, stages):
    rig.runner.images = {"python:3": "sha256:1"}

    def ask(request):
        if request.job_id == "gone":
            raise Unavailable("no answer")
        return WarmReply(stages=tuple(stages))

    warming = Warming(
        lambda: warming.announced, ask, rig.runner, rig.pool, Capacity(cores=4, memory_mib=4096)
    )
    warming.announced = []
    return warming


def test_images_and_slots_are_there_before_the_first_task(warming, rig, stages):
    warming.warm("j")
    rig.crew.work()
    assert [it.reference for it in rig.runner.wanted] == ["python:3"]
    assert [it.key.image for it in rig.runner.open] == ["sha256:1"] * 2
    key = slot_key("o", IMAGE, stages[0].needs, image="sha256:1", job_id="j")
    held = rig.pool.claim(key, app_of(IMAGE))
    assert held.tier is Tier.GENERIC
    held.give_back()


def test_what_is_warm_already_is_enough(warming, rig):
    for _ in range(3):
        warming.warm("j")
        rig.crew.work()
    assert len(rig.runner.open) == 2


def test_stages_too_large_for_this_machine_are_left_to_others(warming, rig, stages):
    stages[0] = stages[0].model_copy(update={"needs": Needs(cores=64)})
    warming.warm("j")
    rig.crew.work()
    assert (rig.runner.wanted, rig.runner.open) == ([], [])


def test_no_answer_is_no_harm(warming):
    warming.warm("gone")


def test_announcements_are_worked_off_by_threads_and_never_wait(warming, rig):
    for number in range(WAITING_MAX + 50):
        warming.hear(str(number))
    warmed = Event()
    rig.pool.expect = lambda *args: warmed.set()
    warming.announced = ["", "j"]
    warming.start()
    assert warmed.wait(10)
    warming.stop()
    warming.hear("late")
    warming.warm("late")
