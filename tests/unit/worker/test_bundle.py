import gc
import time
from pathlib import Path

import pytest

from gridloom.devices import Needs
from gridloom.errors import AttemptFailed
from gridloom.states import EndReason, Stage
from gridloom.warmth import Tier
from gridloom.wire import BlobSpan, Hint
from tests.fixtures.control_plane import JOB
from worker.ledger import Ledger


def test_every_chunk_of_a_bundle_is_run_and_committed_in_one_call(rig):
    rig.set_work(Stage.APP)
    for chunk in range(5):
        rig.control_plane.add(Stage.APP, chunk, data=b"in")
    assert rig.run(Stage.APP, 0, 1, 2, 3, 4)
    for chunk in range(5):
        task = rig.control_plane.tasks[Stage.APP, chunk]
        assert task.result.reason is None
        assert task.files == {"result.txt": str(chunk).encode()}
    assert rig.control_plane.calls["claim"] == 1
    assert rig.control_plane.calls["commit"] == 1
    assert rig.runner.opened == 1
    assert rig.nothing_is_left()


def test_a_hint_for_tasks_that_others_have_is_a_no_op(rig):
    rig.set_work(Stage.APP)
    assert rig.run(Stage.APP, 0, 1)
    assert rig.runner.executions == []
    assert rig.control_plane.calls["commit"] == 0


def test_the_script_sees_the_contracts_variables_and_its_chunk(rig):
    rig.set_work(Stage.APP)
    rig.control_plane.add(Stage.APP, 7, data=b"the chunk")
    seen = {}

    def look(execution, slot):
        seen.update(execution.env)
        seen["data"] = Path(execution.env["TASK_DIR"], "data.bin").read_bytes()
        assert Path(execution.env["TASK_RESULTS_DIR"]).is_dir()
        assert execution.script.is_file()
        assert execution.script.is_relative_to(execution.component)
        folders = {Path(execution.env[name]) for name in ("TASK_DIR", "TASK_RESULTS_DIR")}
        assert set(execution.folders) == folders
        assert all(it.is_relative_to(slot.folder) for it in folders)

    rig.runner.before = look
    rig.run(Stage.APP, 7)
    assert seen["data"] == b"the chunk"
    assert seen["CHUNK_NUMBER"] == "7"
    assert seen["APP_PARAMS"] == "{}"
    assert Path(seen["SHARED_CACHE_DIR"]).is_dir()
    assert seen["USER_CACHE_DIR"].endswith("/owner")


def test_a_stored_chunk_is_fetched(rig):
    rig.store.put_bytes("jobs/j/pack", b"..chunk..")
    rig.set_work(Stage.APP)
    rig.control_plane.add(Stage.APP, 0, blob=BlobSpan(key="jobs/j/pack", offset=2, size=5), size=5)
    seen = []
    rig.runner.before = lambda it, slot: seen.append(Path(it.env["TASK_DIR"], "data.bin").read_bytes())
    rig.run(Stage.APP, 0)
    assert seen == [b"chunk"]


def test_a_missing_chunk_costs_the_fabrics_budget(rig):
    rig.set_work(Stage.APP)
    rig.control_plane.add(Stage.APP, 0, blob=BlobSpan(key="jobs/gone", size=5), size=5)
    rig.run(Stage.APP, 0)
    assert rig.result().reason is EndReason.STORE_UNAVAILABLE
    assert rig.nothing_is_left()


def test_large_results_go_to_the_attempts_own_key(rig):
    rig.set_work(Stage.APP, {"result": {"big.txt": "x" * 300_000, "small.txt": "y"}})
    rig.control_plane.add(Stage.APP, 3, data=b"")
    rig.run(Stage.APP, 3)
    files = rig.control_plane.tasks[Stage.APP, 3].files
    assert files["small.txt"] == b"y"
    assert "/attempts/app-3-1/" in files["big.txt"]
    assert rig.store.get_bytes(files["big.txt"]) == b"x" * 300_000


def test_a_failed_script_leaves_its_exit_code_its_output_and_no_results(rig):
    rig.set_work(Stage.APP, {"exit_code": 3, "stderr": "no luck\n"})
    rig.control_plane.add(Stage.APP, 0, data=b"")
    rig.run(Stage.APP, 0)
    assert (rig.result().reason, rig.result().exit_code) == (EndReason.EXIT_NONZERO, 3)
    assert rig.result().files == ()
    lines = [(line["s"], line["m"]) for line in rig.control_plane.lines]
    assert lines == [("stderr", "no luck"), ("fabric", "exit_nonzero: exit code 3")]


def test_results_that_break_the_rules_fail_the_attempt(rig):
    rig.set_work(Stage.APP)
    rig.control_plane.add(Stage.APP, 0, data=b"")
    rig.runner.before = lambda it, slot: Path(it.env["TASK_RESULTS_DIR"], "l").symlink_to("/etc/passwd")
    rig.run(Stage.APP, 0)
    assert rig.result().reason is EndReason.BAD_OUTPUT


def test_a_component_that_is_none_fails_every_chunk(rig):
    rig.store.put_bytes("components/c1", b"not a tar")
    rig.set_work(Stage.APP)
    for chunk in range(2):
        rig.control_plane.add(Stage.APP, chunk, data=b"")
    rig.run(Stage.APP, 0, 1)
    assert {rig.result(chunk=chunk).reason for chunk in range(2)} == {EndReason.BAD_COMPONENT}


def test_a_lease_lost_while_it_runs_is_dropped_and_the_rest_goes_on(rig):
    rig.set_work(Stage.APP)
    for chunk in range(3):
        rig.control_plane.add(Stage.APP, chunk, data=b"")

    def lose_the_second(execution, slot):
        if execution.env["CHUNK_NUMBER"] == "1":
            rig.control_plane.lose(Stage.APP, 1)
            rig.book.all()[1].end(EndReason.CANCELLED)

    rig.runner.before = lose_the_second
    rig.run(Stage.APP, 0, 1, 2)
    assert [rig.result(chunk=chunk) is not None for chunk in range(3)] == [True, False, True]
    assert rig.control_plane.released == []
    assert rig.nothing_is_left()


def test_draining_hands_back_what_was_not_begun(rig):
    rig.set_work(Stage.APP)
    for chunk in range(3):
        rig.control_plane.add(Stage.APP, chunk, data=b"")
    rig.runner.before = lambda execution, slot: rig.bundles.drain()
    rig.run(Stage.APP, 0, 1, 2)
    assert rig.result(chunk=0).reason is None
    assert [hold.chunk for hold in rig.control_plane.released] == [1, 2]
    assert rig.nothing_is_left()


def test_a_task_stopped_for_the_workers_sake_is_handed_back(rig):
    rig.set_work(Stage.APP, {"run_for_s": 60})
    rig.control_plane.add(Stage.APP, 0, data=b"")
    rig.runner.before = lambda execution, slot: rig.book.end_all(EndReason.WORKER_STOPPED)
    plain = rig.runner.open_slot

    def open_and_kill_late(key):
        slot = plain(key)
        mock_wait = slot._stop.wait
        slot._stop.wait = lambda timeout: (rig.book.fence(), mock_wait(timeout))
        return slot

    rig.runner.open_slot = open_and_kill_late
    rig.run(Stage.APP, 0)
    assert [hold.chunk for hold in rig.control_plane.released] == [0]
    assert rig.result() is None


@pytest.mark.parametrize("how", ["drained", "no room", "no cores"])
def test_a_hint_that_can_not_be_taken_now_is_declined_without_a_claim(rig, how, monkeypatch):
    if how == "drained":
        rig.bundles.drain()
    elif how == "no room":
        monkeypatch.setattr(type(rig.shop.scratch), "has_room", lambda self: False)
    else:
        rig.ledger.reserve(Needs(cores=2), 0)
        monkeypatch.setattr("worker.bundle.RESERVE_S", 0.0)
    rig.control_plane.add(Stage.APP, 0, data=b"")
    assert not rig.run(Stage.APP, 0)
    assert rig.control_plane.calls["claim"] == 0


def test_the_reservation_is_given_back(rig):
    rig.set_work(Stage.APP)
    rig.control_plane.add(Stage.APP, 0, data=b"")
    free = []
    rig.runner.before = lambda execution, slot: free.append(rig.ledger.free().cores)
    rig.run(Stage.APP, 0)
    assert free == [1]
    assert rig.ledger.free().cores == 2
    assert isinstance(rig.ledger, Ledger)


def test_every_attempt_tells_where_its_time_went_and_how_it_ran(rig):
    rig.set_work(Stage.APP, {"modules": ["json"], "run_for_s": 0.05})
    for chunk in range(4):
        rig.control_plane.add(Stage.APP, chunk, data=b"")
    rig.run(Stage.APP, 0, 1, 2, 3)
    spent = [rig.result(chunk=chunk).spent for chunk in range(4)]
    assert [it.tier for it in spent] == [Tier.COLD, Tier.WARM, Tier.WARM, Tier.WARM]
    assert [it.preloaded for it in spent] == [0, 0, 1, 1]
    assert {it.isolation for it in spent} == {"none"}
    assert all(it.ran_s >= 0.05 and it.fetched_s > 0 and it.stored_s > 0 for it in spent)
    assert spent[0].claimed_s > 0
    assert spent[0].received_bytes is None
    assert 'gridloom_task_phase_seconds_count{phase="ran"} 4.0' in rig.shop.metrics.text()


def test_the_image_is_pinned_and_names_the_slot(rig):
    rig.runner.images = {"python:3": "sha256:1"}
    rig.set_work(Stage.APP, image="python:3", kept={"has_secrets": True})
    rig.control_plane.add(Stage.APP, 0, data=b"")
    rig.run(Stage.APP, 0)
    assert rig.control_plane.pins == {"python:3": "sha256:1"}
    assert [(it.owner, it.image, it.component) for it in rig.runner.keys] == [("owner", "sha256:1", "c1")]


def test_an_image_that_can_not_be_had_fails_the_attempts(rig):
    def refuse(wanted, go_on):
        raise AttemptFailed(EndReason.IMAGE_UNAVAILABLE, "no such image")

    rig.runner.have_image = refuse
    rig.set_work(Stage.APP, image="nowhere/none")
    for chunk in range(2):
        rig.control_plane.add(Stage.APP, chunk, data=b"")
    rig.run(Stage.APP, 0, 1)
    assert {rig.result(chunk=chunk).reason for chunk in range(2)} == {EndReason.IMAGE_UNAVAILABLE}
    assert rig.runner.opened == 0
    assert rig.nothing_is_left()


def test_strict_tasks_have_a_slot_each_whose_folder_lasts_until_their_results_are_read(rig):
    rig.set_work(Stage.APP, kept={"isolation": "strict"})
    for chunk in range(3):
        rig.control_plane.add(Stage.APP, chunk, data=b"")
    slots = []
    rig.runner.before = lambda execution, slot: slots.append(slot)
    rig.run(Stage.APP, 0, 1, 2)
    assert [rig.result(chunk=chunk).reason for chunk in range(3)] == [None] * 3
    assert len(set(slots)) == 3


def test_a_slot_that_breaks_costs_one_attempt_of_the_fabrics_budget(rig):
    rig.set_work(Stage.APP)
    for chunk in range(2):
        rig.control_plane.add(Stage.APP, chunk, data=b"")

    def close_the_first(execution, slot):
        if execution.env["CHUNK_NUMBER"] == "0":
            slot.close()

    rig.runner.before = close_the_first
    rig.run(Stage.APP, 0, 1)
    assert [rig.result(chunk=chunk).reason for chunk in range(2)] == [EndReason.RUNNER_FAILED, None]
    assert rig.runner.opened == 2
    assert rig.nothing_is_left()


def test_many_tasks_leave_no_more_objects_than_a_few(rig):
    """What grows here by one object a task would, over ten thousand, be ten thousand."""
    rig.set_work(Stage.APP, {"modules": ["json"]})
    plane = rig.control_plane

    def run(chunks):
        for chunk in range(chunks):
            plane.add(Stage.APP, chunk, data=b"in")
        rig.bundles.run(Hint(job_id=JOB, stage=Stage.APP, chunks=tuple(range(chunks)), needs=Needs()))
        while rig.book.wait_any(0):
            time.sleep(0.001)
        rig.runner.executions.clear()
        plane.commits.clear()

    def objects_after(bundles):
        for _ in range(bundles):
            run(50)
        run(1)  # the committer keeps its last commit until the next one
        rig.pool.tick()
        gc.collect()
        return len(gc.get_objects())

    before = objects_after(4)
    assert objects_after(8) - before < 100
