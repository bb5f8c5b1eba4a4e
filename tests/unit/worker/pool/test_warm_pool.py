"""Unit tests of the warm pool: what a claim finds, what is opened ahead, and when a slot goes."""

import gc
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gridloom.errors import AttemptFailed, LeaseLost, RunnerFailed
from gridloom.states import EndReason
from gridloom.warmth import Isolation, Tier
from tests.unit.worker.pool.conftest import APP, KEY, PLACES, Rig, ended, slot_of
from worker.pool.crew import Crew
from worker.pool.member import App, State
from worker.pool.roster import IDLE_PER_PLACE

OTHER = App(component="b")
MODULES = ("numpy", "pandas")


def teach(rig, key=KEY, app=APP):
    for _ in range(2):
        slot, _ = rig.use(key, app, result=ended(modules=MODULES))
    rig.crew.work()
    return slot


def test_a_slot_is_used_again_by_its_key_alone(rig):
    first, tier = rig.use()
    assert tier is Tier.COLD
    assert rig.use()[0] is first
    for key in (replace(KEY, owner="p"), replace(KEY, component="a"), replace(KEY, memory_mib=9)):
        assert rig.use(key)[0] is not first
    assert len(rig.runner.open) == 4


def test_two_claims_never_share_a_slot(rig):
    one, two = rig.pool.claim(KEY, APP), rig.pool.claim(KEY, APP)
    assert one.folder != two.folder
    one.give_back()
    two.give_back()


def test_from_the_third_task_on_an_app_finds_its_imports(rig):
    slot, _ = rig.use(result=ended(modules=MODULES))
    again, tier = rig.use(result=ended(modules=MODULES))
    assert (again, tier) == (slot, Tier.GENERIC)
    assert not slot.imported, "importing must not delay whoever gives the slot back"
    rig.crew.work()
    assert slot.imported == list(MODULES)
    assert rig.use() == (slot, Tier.WARM)
    assert rig.sample("gridloom_pool_warm_hits_total") == 1


def test_within_a_bundle_the_third_task_finds_its_imports_too(rig):
    held = rig.pool.claim(KEY, APP)
    (slot,) = rig.runner.slots
    slot.result = ended(modules=MODULES)
    for _ in range(2):
        held.run(None, None)
        held.again()
    assert (held.tier, held.preloaded, slot.imported) == (Tier.WARM, 2, list(MODULES))
    held.again()
    assert len(slot.imported) == 2
    held.give_back()


def test_a_slot_with_imports_serves_no_other_app_and_one_without_serves_all(rig):
    slot = teach(rig)
    other, tier = rig.use(app=OTHER)
    assert (other is slot, tier) == (False, Tier.COLD)
    assert rig.use(app=APP)[0] is slot
    assert rig.use(app=App(component="c"))[0] is other


def test_an_app_that_imports_nothing_is_warm_in_a_slot_as_it_is(rig):
    rig.use()
    rig.use()
    slot, tier = rig.use()
    assert (tier, slot.imported) == (Tier.WARM, [])
    off = App(component="x", preload="off")
    assert rig.use(app=off)[1] is Tier.WARM


def test_imports_asked_for_by_name_are_there_before_the_first_task(rig):
    app = App(component="a", preload=("torch", "absent"))
    held = rig.pool.claim(KEY, app)
    assert rig.runner.slots[0].imported == ["torch", "absent"]
    held.give_back()
    assert rig.use(app=app)[1] is Tier.WARM


def test_what_was_refused_is_not_asked_for_again(rig):
    slot, _ = rig.use(result=ended(modules=MODULES))
    slot.refuses = {"pandas": "leaves a thread"}
    rig.use(result=ended(modules=MODULES))
    rig.crew.work()
    assert slot.imported == ["numpy"]
    assert rig.learned.wanted("", APP) == ("numpy",)
    assert rig.sample("gridloom_preload_denied_total") == 1
    rig.use(result=ended(modules=("pandas",)))
    assert not rig.crew.to_open


def test_a_dead_slot_is_noticed_when_it_is_claimed(rig):
    slot, _ = rig.use()
    slot.memory = 0.0
    other, tier = rig.use()
    assert (other is slot, tier) == (False, Tier.COLD)
    rig.crew.work()
    assert slot.closed


def test_waiting_tasks_have_slots_opened_ahead_up_to_the_places(rig):
    held = rig.pool.claim(KEY, APP, waiting=100)
    assert len(rig.runner.open) == 1
    rig.crew.work()
    assert len(rig.runner.open) == PLACES
    held.give_back()
    rig.pool.claim(KEY, APP, waiting=100).give_back()
    rig.crew.work()
    assert len(rig.runner.open) == PLACES


@pytest.mark.parametrize(("cores", "waiting", "number"), [(2, 9, 2), (0.5, 3, 4), (8, 9, 1), (1, 1, 2)])
def test_no_more_are_opened_than_cores_and_tasks_can_use(rig, cores, waiting, number):
    key = replace(KEY, cores=cores)
    rig.pool.claim(key, APP, waiting=waiting)
    rig.crew.work()
    assert len(rig.runner.open) == number


def test_a_job_that_is_expected_finds_slots_with_what_its_app_imports(rig):
    teach(rig)
    rig.pool.expect(KEY, APP, 2)
    rig.crew.work()
    assert [slot.imported for slot in rig.runner.open] == [list(MODULES)] * 2
    held = [rig.pool.claim(KEY, APP) for _ in range(2)]
    assert [it.tier for it in held] == [Tier.WARM] * 2


def test_what_is_opened_for_nobodys_imports_is_expected_by_all(rig):
    for app in (APP, OTHER):
        rig.pool.expect(KEY, app, 2)
    rig.crew.work()
    assert len(rig.runner.open) == 2
    teach(rig)
    rig.pool.expect(KEY, OTHER, 2)
    rig.crew.work()
    assert len(rig.runner.open) == 3


def test_a_slot_without_python_learns_nothing(rig):
    for _ in range(3):
        held = rig.pool.claim(KEY, APP)
        slot = slot_of(held)
        slot.facts = replace(slot.facts, python="")
        slot.result = ended(modules=MODULES)
        held.run(None, None)
        held.give_back()
    assert rig.use() == (slot, Tier.WARM)
    assert rig.learned.wanted("", APP) == ()


def test_a_claim_takes_over_what_is_only_queued(rig):
    rig.pool.expect(KEY, APP, 1)
    rig.pool.claim(KEY, APP).give_back()
    rig.crew.work()
    assert len(rig.runner.open) == 1


def test_nothing_is_opened_ahead_without_memory(rig, free):
    free[0] = 0.1
    rig.pool.claim(KEY, APP, waiting=9).give_back()
    rig.crew.work()
    assert len(rig.runner.open) == 1


def test_a_slot_that_can_not_be_opened_ahead_is_forgotten(rig):
    rig.pool.expect(KEY, APP, 2)
    rig.runner.error = RunnerFailed("no daemon")
    rig.crew.work()
    assert rig.pool.counts() == {}
    with pytest.raises(RunnerFailed):
        rig.pool.claim(KEY, APP)
    assert rig.pool.counts() == {}


@pytest.mark.parametrize("error", [RunnerFailed("broke"), ValueError("odd")])
def test_a_slot_that_broke_is_closed(rig, error):
    with pytest.raises(type(error)):
        rig.use(result=error)
    rig.crew.work()
    assert not rig.runner.open


def test_a_script_that_can_not_start_leaves_the_slot_as_it_was(rig):
    with pytest.raises(AttemptFailed):
        rig.use(result=AttemptFailed(EndReason.BAD_COMPONENT, "no interpreter"))
    assert len(rig.runner.open) == 1
    assert rig.use()[1] is Tier.GENERIC


def test_a_slot_that_breaks_while_it_imports_is_closed(rig):
    slot, _ = rig.use(result=ended(modules=MODULES))
    slot.broken = True
    rig.use(result=ended(modules=MODULES))
    rig.crew.work()
    assert not rig.runner.open
    assert rig.pool.counts() == {}


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        (EndReason.OUT_OF_MEMORY, False),
        (EndReason.TIMEOUT, True),
        (EndReason.CANCELLED, True),
        (EndReason.EXIT_NONZERO, True),
    ],
)
def test_only_running_out_of_memory_ends_the_slot(rig, reason, kept):
    rig.use(result=ended(reason))
    rig.crew.work()
    assert bool(rig.runner.open) is kept
    assert rig.sample("gridloom_oom_total") == (reason is EndReason.OUT_OF_MEMORY)
    assert rig.sample("gridloom_timeout_kill_total") == (reason is EndReason.TIMEOUT)


def test_a_slot_is_retired_after_many_tasks_much_time_or_grown_memory(rig):
    rig.use(times=500)
    rig.use()
    rig.clock.now += 31 * 60
    slot, _ = rig.use()
    rig.pool.tick()
    slot, _ = rig.use()
    slot.memory = 200.0
    rig.use()
    rig.crew.work()
    assert not rig.runner.open
    text = rig.metrics.text()
    for reason in ("tasks", "age", "memory"):
        assert f'gridloom_recycle_total{{reason="{reason}"}} 1.0' in text


def test_imports_that_crash_twice_in_a_row_are_off_for_an_hour(rig):
    teach(rig)
    crash = ended(EndReason.EXIT_NONZERO, signal=11)
    rig.use(result=crash)
    rig.use(result=ended())
    rig.use(result=crash)
    assert len(rig.runner.open) == 1
    rig.use(result=crash)
    rig.crew.work()
    assert not rig.runner.open
    plain, _ = rig.use()
    rig.crew.work()
    assert plain.imported == []
    rig.clock.now += 3601
    assert rig.learned.wanted("", APP) == MODULES


def test_a_crash_without_imports_is_the_scripts_own(rig):
    for _ in range(3):
        rig.use(result=ended(EndReason.EXIT_NONZERO, signal=11))
    assert len(rig.runner.open) == 1


def test_a_strict_slot_serves_one_task_and_stock_is_kept_while_tasks_wait(rig):
    key = replace(KEY, isolation=Isolation.STRICT)
    held = rig.pool.claim(key, APP, waiting=2)
    held.run(None, None)
    assert held.used_up
    rig.crew.work()
    assert len(rig.runner.open) == 3
    held.give_back()
    rig.crew.work()
    assert rig.runner.slots[0].closed
    assert rig.pool.claim(key, APP, waiting=0).folder != held.folder
    assert len(rig.runner.open) == 2


def test_a_jobs_own_slot_goes_with_the_job_or_soon(rig):
    key = replace(KEY, isolation=Isolation.JOB, job="j")
    rig.use(key)
    rig.use(replace(key, job="k"))
    rig.pool.job_over("j")
    rig.pool.job_over("")
    rig.crew.work()
    assert [slot.key.job for slot in rig.runner.open] == ["k"]
    rig.clock.now += 61
    rig.pool.tick()
    rig.crew.work()
    assert not rig.runner.open


def test_a_slot_in_use_goes_with_its_job_when_it_is_given_back(rig):
    held = rig.pool.claim(replace(KEY, isolation=Isolation.JOB, job="j"), APP)
    rig.pool.job_over("j")
    assert len(rig.runner.open) == 1
    held.give_back()
    rig.crew.work()
    assert not rig.runner.open


def test_what_nobody_wants_for_ten_minutes_goes(rig):
    rig.use()
    rig.clock.now += 599
    rig.pool.tick()
    assert len(rig.runner.open) == 1
    rig.clock.now += 2
    rig.pool.tick()
    rig.crew.work()
    assert not rig.runner.open


def test_the_slot_least_worth_its_memory_is_evicted_first(tmp_path, free):
    rig = Rig(tmp_path, budget_mib=40.0)
    often, _ = rig.use(replace(KEY, owner="often"))
    for _ in range(3):
        rig.use(replace(KEY, owner="often"))
    once, _ = rig.use(replace(KEY, owner="once"))
    rig.use(replace(KEY, owner="new"))
    rig.crew.work()
    assert once.closed
    assert not often.closed
    assert len(rig.runner.open) == 2
    rig.pool.close()


def test_a_machine_short_of_memory_gives_up_one_slot_a_tick(rig, free):
    for owner in "abc":
        rig.use(replace(KEY, owner=owner))
    free[0] = 0.1
    rig.pool.tick()
    rig.crew.work()
    assert len(rig.runner.open) == 2


def test_the_runner_sweeps_each_minute(rig):
    rig.clock.now += 59
    rig.pool.tick()
    assert rig.runner.sweeps == 0
    rig.clock.now += 1
    rig.pool.tick()
    rig.pool.tick()
    assert rig.runner.sweeps == 1


def test_a_claim_waits_for_the_slot_that_is_being_opened_for_it(rig, tmp_path):
    opening, go = threading.Event(), threading.Event()

    def wait():
        opening.set()
        assert go.wait(10)

    rig.runner.during = wait
    rig.pool.expect(KEY, APP, 1)
    filler = threading.Thread(target=rig.crew.work)
    filler.start()
    assert opening.wait(10)
    held = []
    claimer = threading.Thread(target=lambda: held.append(rig.pool.claim(KEY, APP)))
    claimer.start()
    go.set()
    claimer.join(10)
    filler.join(10)
    assert [it.tier for it in held] == [Tier.COLD]
    assert len(rig.runner.slots) == 1


def test_a_claim_whose_lease_is_lost_waits_no_longer(rig):
    opening, go = threading.Event(), threading.Event()

    def wait():
        opening.set()
        assert go.wait(10)

    rig.runner.during = wait
    rig.pool.expect(KEY, APP, 1)
    filler = threading.Thread(target=rig.crew.work)
    filler.start()
    assert opening.wait(10)
    answers = iter((True, True))
    with pytest.raises(LeaseLost):
        rig.pool.claim(KEY, APP, 0, lambda: next(answers, False))
    go.set()
    filler.join(10)
    assert rig.pool.counts() == {State.IDLE: 1}


def test_closing_ends_slots_in_use_and_refuses_claims(rig):
    held = rig.pool.claim(KEY, APP)
    rig.pool.close()
    assert not rig.runner.open
    held.give_back()
    with pytest.raises(RunnerFailed):
        rig.pool.claim(KEY, APP)


def test_a_slot_opened_while_the_pool_closes_is_closed(rig):
    rig.runner.during = rig.pool.close
    with pytest.raises(RunnerFailed):
        rig.pool.claim(KEY, APP)
    assert not rig.runner.open


def test_ten_thousand_tasks_leave_no_more_than_a_few_objects(rig):
    def tasks(bundles):
        for it in range(bundles):
            rig.use(replace(KEY, owner=str(it % 3)), App(component=str(it % 7)), times=20)
            if it % 10 == 0:
                rig.pool.tick()
            rig.crew.work()
            rig.runner.slots = rig.runner.open
        gc.collect()
        return len(gc.get_objects())

    before = tasks(100)
    assert tasks(400) - before < 200


OWNERS = st.sampled_from(["o", "p"])
ISOLATIONS = st.sampled_from([Isolation.TASK, Isolation.TASK, *Isolation])
SECRET_APPS = {"s", "t"}


class PoolMachine(RuleBasedStateMachine):
    """Bundles, background work, failures and time in any order."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = patch("worker.pool.warm_pool.free_share", lambda: self.free)
        self.patch.start()
        self.free = 0.9
        self.rig = Rig(Path(self.folder.name), budget_mib=100.0)
        self.held = []

    def over(self, held):
        """Whether the slot can't take another task; one for a single task can take that one."""
        return held.used_up and (slot_of(held).used or held._member.spoiled is not None)

    @precondition(lambda self: len(self.held) < PLACES)
    @rule(
        owner=OWNERS,
        component=st.sampled_from(["a", "b", "s", "t"]),
        isolation=ISOLATIONS,
        waiting=st.integers(0, 6),
        preload=st.sampled_from(["auto", "auto", "off", ("numpy",)]),
        tasks=st.integers(0, 2),
    )
    def bundle(self, tasks, **wish):
        """One that is over before anything else happens, which leaves warm slots behind."""
        if self.claim(**wish):
            held, app = self.held.pop()
            slot_of(held).result = ended(modules=(app.component,))
            for _ in range(tasks):
                if not self.over(held):
                    held.again()
                    held.run(None, None)
                    slot_of(held).used = True
            held.give_back()

    @precondition(lambda self: len(self.held) < PLACES)
    @rule(
        owner=OWNERS,
        component=st.sampled_from(["a", "b", "s", "t"]),
        isolation=ISOLATIONS,
        waiting=st.integers(0, 6),
        preload=st.sampled_from(["auto", "auto", "off", ("numpy",)]),
    )
    def hold(self, **wish):
        self.claim(**wish)

    def claim(self, owner, component, isolation, waiting, preload):
        secret = component in SECRET_APPS
        key = replace(
            KEY,
            owner=owner,
            isolation=isolation,
            component=component if secret or isolation is Isolation.APP else "",
            job="j" if isolation is Isolation.JOB else "",
        )
        app = App(component=component, preload=preload)
        try:
            held = self.rig.pool.claim(key, app, waiting)
        except RunnerFailed:
            assert self.rig.runner.error
            return False
        slot = slot_of(held)
        assert slot.key == key
        assert not slot.closed
        assert slot.folder not in [it.folder for it, *_ in self.held]
        if slot.imported:
            assert vars(slot).setdefault("importer", app) == app
        if isolation is Isolation.STRICT:
            assert not slot.used
        self.held.append((held, app))
        return True

    @precondition(lambda self: self.held)
    @rule(
        which=st.integers(0, 99),
        reason=st.sampled_from([None, None, EndReason.OUT_OF_MEMORY, EndReason.TIMEOUT]),
        signal=st.sampled_from([None, 11]),
        modules=st.sampled_from([(), ("json",), ("numpy", "pandas")]),
        memory=st.sampled_from([16.0, 16.0, 30.0, 90.0, 0.0]),
    )
    def run(self, which, reason, signal, modules, memory):
        held, _ = self.held[which % len(self.held)]
        slot = slot_of(held)
        slot.result = ended(reason, signal=signal if reason else None, modules=modules)
        slot.memory = memory
        if not self.over(held):
            held.again()
            held.run(None, None)
            slot.used = True

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99))
    def break_one(self, which):
        held, _ = self.held[which % len(self.held)]
        slot_of(held).result = RunnerFailed("broke")
        with pytest.raises(RunnerFailed):
            held.run(None, None)
        assert held.used_up

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99))
    def give_back(self, which):
        held, _ = self.held.pop(which % len(self.held))
        slot = slot_of(held)
        over = self.over(held)
        held.give_back()
        assert not (over and slot.folder in self.idle_folders())

    @rule(owner=OWNERS, component=st.sampled_from(["a", "b"]), number=st.integers(1, 6))
    def expect(self, owner, component, number):
        self.rig.pool.expect(replace(KEY, owner=owner), App(component=component), number)

    @rule(jobs=st.integers(1, 9))
    def background(self, jobs):
        crew = self.rig.crew
        for _ in range(jobs):
            if crew.to_open or crew.to_close:
                (crew.to_open or crew.to_close).popleft()()

    @rule(seconds=st.sampled_from([1, 61, 700, 2000]))
    def pass_time(self, seconds):
        self.rig.clock.now += seconds
        self.rig.pool.tick()

    @rule(works=st.booleans())
    def daemon(self, works):
        self.rig.runner.error = None if works else RunnerFailed("no daemon")

    @rule(share=st.sampled_from([0.9, 0.1]))
    def memory(self, share):
        self.free = share

    @rule()
    def job_over(self):
        self.rig.pool.job_over("j")

    @invariant()
    def within_places_and_budget(self):
        counts = self.rig.pool.counts()
        assert counts.get(State.HELD, 0) == len(self.held) <= PLACES
        assert counts.get(State.IDLE, 0) <= PLACES * IDLE_PER_PLACE
        assert self.rig.pool._idle_mib() <= 100.0
        assert len(self.rig.runner.open) <= sum(counts.values()) + len(self.rig.crew.to_close)

    def idle_folders(self):
        return {it.slot.folder for it in self.rig.pool._roster if it.state is State.IDLE}

    def teardown(self):
        self.rig.pool.close()
        assert not self.rig.runner.open
        assert all(slot.closed == 1 for slot in self.rig.runner.slots)
        assert self.rig.pool.counts() == {}
        self.patch.stop()
        self.folder.cleanup()


PoolMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestPoolMachine = PoolMachine.TestCase


def test_with_real_threads_many_bundles_get_slots_of_their_own(rig, tmp_path):
    crew = Crew(PLACES)
    rig.pool._crew = crew
    in_use, lock = set(), threading.Lock()

    def bundle(number):
        for turn in range(25):
            key = replace(KEY, owner="op"[(number + turn) % 2])
            held = rig.pool.claim(key, APP, waiting=turn % 5)
            with lock:
                assert held.folder not in in_use
                in_use.add(held.folder)
            held.run(None, None)
            with lock:
                in_use.remove(held.folder)
            held.give_back()

    threads = [threading.Thread(target=bundle, args=(number,)) for number in range(PLACES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    rig.pool.close()
    assert not rig.runner.open
    assert not in_use
