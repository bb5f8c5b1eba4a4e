"""Unit tests of a bundle's slot: its image and pin, what it is claimed as, how it follows its lease."""

from dataclasses import replace

import pytest

from gridloom.devices import Needs
from gridloom.errors import LeaseLost, RunnerFailed
from gridloom.states import EndReason, Stage
from gridloom.warmth import Isolation, Network, Tier
from gridloom.wire import Claimed, ComponentRef, ImageLogin, PinReply, Work
from tests.unit.worker.pool.conftest import slot_of
from worker.leases import LeaseBook
from worker.pool.bundle_slot import BundleSlot, app_of, slot_key
from worker.runners.protocol import SlotKey

COMPONENT = ComponentRef(
    id="c",
    owner_id="author",
    name="n",
    version="1",
    revision=1,
    entrypoint="main.py",
    image="",
    archive_key="k",
    digest="d",
)
NEEDS = Needs(cores=0.5, memory_mib=64)
WORK = Work(owner_id="o", component=COMPONENT, env={}, needs=NEEDS)
LOGIN = ImageLogin(username="u", token="t")


@pytest.fixture
def lease():
    return LeaseBook().take("j", Stage.APP, [Claimed(chunk=0, attempt=1)], lease_s=60, asked_at=0)[0]


@pytest.fixture
def pins():
    return {}


@pytest.fixture
def bundle(rig, pins):
    def pin(request, wanted):
        assert (request.job_id, wanted()) == ("j", True)
        return PinReply(digest=pins.setdefault(request.image, request.digest))

    return lambda **changes: BundleSlot(rig.pool, rig.runner, pin, WORK.model_copy(update=changes), "j")


def with_component(**changes):
    return COMPONENT.model_copy(update=changes)


def test_who_names_no_image_gets_the_runners_own_and_pins_nothing(bundle, lease, rig, pins):
    rig.runner.images = {"": "sha256:own"}
    slot = bundle()
    slot.have_image(lease)
    assert slot.take(lease, 0).facts.image == "sha256:own"
    assert pins == {}
    slot.give_back()


def test_the_first_to_find_an_image_pins_it_for_the_job(bundle, lease, rig, pins):
    rig.runner.images = {"python:3": "sha256:new"}
    slot = bundle(component=with_component(image="python:3"), login=LOGIN)
    slot.have_image(lease)
    slot.have_image(lease)
    assert pins == {"python:3": "sha256:new"}
    assert [(it.owner, it.login, it.pin) for it in rig.runner.wanted] == [("o", LOGIN, "")]
    slot.take(lease, 0)
    assert rig.runner.slots[0].key.image == "sha256:new"
    assert slot.spent().image == "sha256:new"
    slot.give_back()


def test_who_comes_later_takes_the_digest_that_the_job_keeps(bundle, lease, rig, pins):
    rig.runner.images = {"python:3": "sha256:new"}
    pins["python:3"] = "sha256:old"
    slot = bundle(component=with_component(image="python:3"))
    slot.have_image(lease)
    assert [it.pin for it in rig.runner.wanted] == ["", "sha256:old"]
    slot.take(lease, 0)
    assert rig.runner.slots[0].key.image == "sha256:old"
    slot.give_back()


def test_a_known_pin_is_not_reported_again(bundle, lease, rig, pins):
    slot = bundle(component=with_component(image="python:3"), image_pin="sha256:old")
    slot.have_image(lease)
    assert ([it.pin for it in rig.runner.wanted], pins) == (["sha256:old"], {})


def test_a_bundle_holds_one_slot_whose_later_tasks_are_warm(bundle, lease, rig):
    slot = bundle()
    tiers = []
    for rest in (2, 1, 0):
        tiers.append(slot.take(lease, rest).tier)
        slot.run(None, None, lease)
        slot.task_done()
    slot.give_back()
    slot.give_back()
    assert tiers == [Tier.COLD, Tier.WARM, Tier.WARM]
    assert len(rig.runner.slots) == 1


def test_a_strict_bundle_takes_a_fresh_slot_for_each_task_and_has_stock_for_the_rest(bundle, lease, rig):
    slot = bundle(component=with_component(isolation=Isolation.STRICT), needs=Needs(cores=1), waiting=0)
    used = []
    for rest in (2, 1, 0):
        used.append(slot_of(slot.take(lease, rest)))
        slot.run(None, None, lease)
        slot.task_done()
        rig.crew.work()
    assert [it.closed for it in used] == [1, 1, 1]
    assert len({it.folder for it in used}) == 3


def test_a_broken_slot_is_replaced_for_the_next_task(bundle, lease, rig):
    slot = bundle()
    first = slot_of(slot.take(lease, 1))
    first.result = RunnerFailed("broke")
    with pytest.raises(RunnerFailed):
        slot.run(None, None, lease)
    assert not first.closed, "its folder is still needed"
    slot.task_done()
    rig.crew.work()
    assert first.closed
    assert slot_of(slot.take(lease, 0)) is not first
    slot.give_back()


def test_nothing_runs_under_an_ended_lease_and_no_kill_comes_after_a_run(bundle, lease):
    slot = bundle()
    held = slot.take(lease, 0)
    slot.run(None, None, lease)
    lease.end(EndReason.CANCELLED)
    assert not hasattr(slot_of(held), "killed")
    with pytest.raises(LeaseLost):
        slot.run(None, None, lease)
    slot.give_back()
    with pytest.raises(LeaseLost):
        slot.take(lease, 0)
    with pytest.raises(RunnerFailed):
        slot.run(None, None, lease)


@pytest.mark.parametrize(
    ("component", "changes"),
    [
        ({}, {}),
        ({"network": Network.EGRESS}, {"network": Network.EGRESS}),
        ({"has_secrets": True}, {"component": "c"}),
        ({"isolation": Isolation.APP}, {"isolation": Isolation.APP, "component": "c"}),
        ({"isolation": Isolation.JOB}, {"isolation": Isolation.JOB, "job": "j"}),
        ({"isolation": Isolation.STRICT}, {"isolation": Isolation.STRICT}),
    ],
)
def test_a_slot_is_shared_as_far_as_the_component_allows(component, changes):
    key = slot_key("o", with_component(**component), NEEDS, image="sha256:1", job_id="j")
    assert key == replace(SlotKey(owner="o", image="sha256:1", memory_mib=64, cores=0.5), **changes)


def test_work_of_nobody_never_has_an_empty_owner():
    assert slot_key("", COMPONENT, NEEDS, image="", job_id="j").owner == "nobody"
    assert app_of(with_component(preload=("numpy",))).preload == ("numpy",)
