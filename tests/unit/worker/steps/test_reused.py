"""A task whose earlier result is found runs nothing; one whose is not, or can't be fetched, runs as usual."""

import pytest

from gridloom.reuse import ReuseNote
from gridloom.states import EndReason, Stage
from gridloom.wire import ResultFile
from gridloom.wire_reuse import Reused

EARLIER = "0e000000-0000-4000-8000-000000000001"
HIT = ReuseNote(reason="the same", job_id=EARLIER, chunk=4, saved_s=3)
MISS = ReuseNote(reason="another app")


@pytest.fixture
def offered(rig):
    """Return what gives chunk 0 these files of an earlier result, and chunk 1 none."""

    def offer(*files):
        rig.set_work(Stage.APP, reuse=True, image="python")
        rig.runner.images["python"] = "sha256:1"
        for chunk in (0, 1):
            rig.control_plane.add(Stage.APP, chunk, data=b"in")
        rig.control_plane.earlier = (
            Reused(chunk=0, note=HIT, files=files),
            Reused(chunk=1, note=MISS),
        )

    return offer


def test_a_hit_is_committed_as_the_tasks_own_and_takes_no_slot(rig, offered):
    rig.store.put_bytes("jobs/e/pack", b"..small")
    rig.store.put_bytes("jobs/e/large", b"x" * 300_000)
    offered(
        ResultFile(name="deep/small.txt", size=5, key="jobs/e/pack", offset=2),
        ResultFile(name="large.bin", size=300_000, key="jobs/e/large"),
    )
    rig.run(Stage.APP, 0)
    task, done = rig.control_plane.tasks[Stage.APP, 0], rig.result()
    assert (done.reason, done.reuse, done.cpu_s, done.spent.tier) == (None, HIT, 0, None)
    assert done.spent.image == "sha256:1"
    assert task.files["deep/small.txt"] == b"small"
    assert rig.store.get_bytes(task.files["large.bin"]) == b"x" * 300_000
    assert task.files["large.bin"] != "jobs/e/large"
    assert rig.runner.opened == 0
    assert [it["m"] for it in rig.control_plane.lines] == [f"taken from chunk 4 of job {EARLIER}: the same"]
    assert rig.nothing_is_left()


def test_a_bundle_asks_once_and_runs_what_is_missing(rig, offered):
    rig.store.put_bytes("jobs/e/pack", b"old")
    offered(ResultFile(name="out", size=3, key="jobs/e/pack"))
    rig.run(Stage.APP, 0, 1)
    assert rig.control_plane.tasks[Stage.APP, 0].files == {"out": b"old"}
    assert rig.control_plane.tasks[Stage.APP, 1].files == {"result.txt": b"1"}
    assert rig.result(chunk=1).reuse == MISS
    assert len(rig.runner.executions) == 1
    assert rig.control_plane.calls["reuse"] == 1
    assert rig.control_plane.reuse_asked.image == "sha256:1"


@pytest.mark.parametrize("stored", [None, b"half"])
def test_a_result_that_went_meanwhile_is_made_anew(rig, offered, stored):
    if stored:
        rig.store.put_bytes("jobs/e/pack", stored)
    offered(ResultFile(name="out", size=8, key="jobs/e/pack"))
    rig.run(Stage.APP, 0)
    note = rig.result().reuse
    assert not note.hit
    assert note.reason.startswith(f"the result of job {EARLIER} could not be fetched: ")
    assert rig.control_plane.tasks[Stage.APP, 0].files == {"result.txt": b"0"}
    assert rig.nothing_is_left()


def test_a_name_that_leads_out_of_its_folder_ends_the_attempt_and_leaves_nothing(rig, offered):
    rig.store.put_bytes("jobs/e/pack", b"old")
    offered(ResultFile(name="../out", size=3, key="jobs/e/pack"))
    rig.run(Stage.APP, 0)
    assert rig.result().reason is EndReason.BAD_OUTPUT
    assert rig.nothing_is_left()


def test_where_nobody_can_tell_the_task_runs(rig, offered):
    offered()
    rig.control_plane.answers["reuse"] = [400]
    rig.run(Stage.APP, 0)
    assert (rig.result().reason, rig.result().reuse) == (None, None)
    assert len(rig.runner.executions) == 1


def test_a_job_that_does_not_want_it_is_not_asked_about(rig):
    rig.set_work(Stage.APP)
    rig.control_plane.add(Stage.APP, 0, data=b"in")
    rig.run(Stage.APP, 0)
    assert rig.control_plane.calls["reuse"] == 0
