"""An earlier result stands for a task's own when owner, bytes, app, parameters and image are the same."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from gridloom.reuse import ReuseNote
from gridloom.states import EndReason, JobState, Stage
from gridloom.wire import NewChunk, Spent
from gridloom.wire_reuse import ReuseRequest
from scheduler import reuse
from scheduler.sweep import sweep
from storage.folder import FolderStore
from storage.tables import reusable_results
from tests.fixtures.fabric import component, file, plan_of, result, stage_of

NEVER = "no earlier task of yours had these bytes, or its result is no longer kept"
GONE = "the result of the same is no longer kept"


def plan(*, archive="a1", version="1.0", params=None, wants=True):
    code = component("shout").model_copy(update={"digest": archive, "version": version})
    app = stage_of().model_copy(update={"component": code, "params": params or {"case": "upper"}})
    return plan_of(app=app, reuse=wants)


def started(fabric, contents, owner="ada", **changes):
    """Run a job whose chunks hold these bytes; return it and the worker that holds all its tasks."""
    job_id, worker_id = fabric.run(plan(**changes), owner), fabric.worker(f"{owner}-{len(contents)}")
    attempt = fabric.claim(worker_id, job_id, Stage.PARTITION, 0)[0]
    chunks = [
        NewChunk(index=number, size=1, sha256=content, key=f"k{number}")
        for number, content in enumerate(contents)
    ]
    fabric.register(worker_id, job_id, attempt, *chunks)
    fabric.commit(worker_id, job_id, Stage.PARTITION, result(0, attempt, total=len(contents)))
    fabric.claim(worker_id, job_id, Stage.APP, *range(len(contents)))
    return job_id, worker_id


def ran(fabric, contents, owner="ada", image="", **changes):
    """Run a job to its end and return its id; each of its tasks takes 2 s."""
    job_id, worker_id = started(fabric, contents, owner, **changes)
    done = [
        result(number, 1, files=(file("out", f"{job_id}/{number}"),), spent=Spent(image=image))
        for number in range(len(contents))
    ]
    timed = [it.model_copy(update={"started_at": it.ended_at - timedelta(seconds=2)}) for it in done]
    assert fabric.commit(worker_id, job_id, Stage.APP, *timed).dropped == ()
    return job_id


def asked(fabric, job_id, worker_id, count, image=""):
    request = ReuseRequest(job_id=job_id, chunks=tuple(range(count)), image=image)
    with fabric.database.read() as connection:
        return {it.chunk: it for it in reuse.find(connection, worker_id, request).found}


def wished(fabric, contents, image="", **changes):
    return asked(fabric, *started(fabric, contents, **changes), len(contents), image)


def test_the_same_again_is_taken_and_changed_bytes_are_not(fabric):
    earlier = ran(fabric, ["a", "b"])
    found = wished(fabric, ["a", "changed"])
    same = "chunk, app, parameters and image are the same"
    assert found[0].note == ReuseNote(reason=same, job_id=earlier, chunk=0, saved_s=2)
    assert [it.key for it in found[0].files] == [f"{earlier}/0"]
    assert (found[1].note, found[1].files) == (ReuseNote(reason=NEVER), ())


def test_what_differs_is_named(fabric):
    earlier = ran(fabric, ["a"], image="sha256:1")
    same = {"image": "sha256:1"}
    assert wished(fabric, ["a"], **same, params={"case": "upper", "n": 1})[0].note.reason == (
        f"the app's parameters differ from those of job {earlier}: n"
    )
    long = {"case": "upper", "n" * 10_000: 1}
    assert len(wished(fabric, ["a"], **same, params=long)[0].note.reason) < 200
    assert wished(fabric, ["a"], **same, archive="a2", version="1.1")[0].note.reason == (
        f"the app's archive is another: shout@1.1 now, shout@1.0 in job {earlier}"
    )
    assert wished(fabric, ["a"], image="sha256:2")[0].note.reason == (
        f"the image is sha256:2 now, sha256:1 in job {earlier}"
    )
    assert wished(fabric, ["a"], **same)[0].note.hit


def test_numbers_and_truths_that_python_takes_for_equal_are_other_parameters(fabric):
    ran(fabric, ["a"], params={"n": 1})
    assert not wished(fabric, ["a"], params={"n": True})[0].note.hit


def test_others_results_are_never_taken(fabric):
    ran(fabric, ["a"], "bob")
    assert wished(fabric, ["a"])[0].note == ReuseNote(reason=NEVER)


def test_equal_chunks_of_one_job_never_stand_for_each_other(fabric):
    job_id, worker_id = started(fabric, ["a", "a"])
    fabric.commit(worker_id, job_id, Stage.APP, result(0, 1))
    assert asked(fabric, job_id, worker_id, 2)[1].note == ReuseNote(reason=NEVER)


def test_of_several_the_same_number_goes_first_and_then_the_newest_job(fabric):
    old, new = ran(fabric, ["b", "a"]), ran(fabric, ["a"])
    found = wished(fabric, ["a", "a", "a"])
    places = [(found[it].note.job_id, found[it].note.chunk) for it in range(3)]
    assert places == [(new, 0), (old, 1), (new, 0)]


def test_many_equal_chunks_cost_one_row_a_job(fabric):
    ran(fabric, ["a"] * 20)
    found = wished(fabric, ["a"] * 20)
    assert [found[it].note.chunk for it in range(20)] == list(range(20))
    with fabric.database.read() as connection:
        assert len(connection.execute(select(reusable_results)).all()) == 1


def test_only_the_holder_of_a_task_is_told_and_only_where_the_job_wants_it(fabric):
    ran(fabric, ["a"])
    job_id, worker_id = started(fabric, ["a"])
    assert asked(fabric, job_id, fabric.worker("other"), 1) == {}
    assert asked(fabric, job_id, worker_id, 1)[0].note.hit
    assert wished(fabric, ["a"], wants=False) == {}
    assert asked(fabric, "unknown", worker_id, 1) == {}


@pytest.mark.parametrize("column", ["purged_at", "deleted_at"])
def test_what_is_gone_is_not_taken(fabric, column):
    fabric.set_job(earlier := ran(fabric, ["a"]), **{column: fabric.job(earlier).submitted_at})
    assert wished(fabric, ["a"])[0].note == ReuseNote(reason=GONE)


def test_a_purge_forgets_what_could_be_taken(fabric, tmp_path):
    earlier, kept = ran(fabric, ["a"]), ran(fabric, ["a", "b"])
    fabric.set_job(earlier, state=JobState.COMPLETE, output_expires_at=fabric.job(earlier).submitted_at)
    assert sweep(fabric.database, FolderStore(tmp_path), fabric.settings) == 1
    assert wished(fabric, ["a"])[0].note.job_id == kept
    with fabric.database.read() as connection:
        rows = connection.execute(select(reusable_results.c.job_id, reusable_results.c.sha256)).all()
    assert sorted(rows) == [(kept, "a"), (kept, "b")]


def test_a_chunk_that_was_written_anew_is_not_taken_for_what_it_was(fabric):
    earlier = ran(fabric, ["a"])
    fabric.set_task(earlier, 0, chunk_sha256="b")
    assert wished(fabric, ["a"])[0].note == ReuseNote(reason=GONE)


def test_a_chunk_without_digest_says_so(fabric):
    job_id, worker_id = started(fabric, ["a"])
    fabric.set_task(job_id, 0, chunk_sha256=None)
    assert asked(fabric, job_id, worker_id, 1)[0].note.reason == "the chunk has no digest"


def test_a_taken_result_costs_nothing_is_counted_and_can_be_taken_again(fabric):
    ran(fabric, ["a"])
    job_id, worker_id = started(fabric, ["a", "b"])
    note = asked(fabric, job_id, worker_id, 2)[0].note
    taken = result(0, 1, files=(file("out"),), reuse=note)
    missed = result(1, 1, reuse=ReuseNote(reason=NEVER))
    fabric.commit(
        worker_id,
        job_id,
        Stage.APP,
        *(it.model_copy(update={"started_at": it.ended_at - timedelta(seconds=1)}) for it in (taken, missed)),
    )
    first, second = fabric.tasks(job_id)
    assert first.price == 0
    assert ReuseNote.model_validate(first.reuse) == note
    assert ReuseNote.model_validate(second.reuse) == ReuseNote(reason=NEVER)
    job = fabric.job(job_id)
    assert (job.spent["tasks"], job.spent["reused"], job.completed, job.busy_s) == (1, 1, 2, 3)
    assert wished(fabric, ["a"])[0].note == note.model_copy(update={"job_id": job_id})


def test_finding_reads_no_more_than_what_it_is_asked_for(fabric):
    ran(fabric, ["a", "b"])
    job_id, worker_id = started(fabric, ["a", "b"])
    request = ReuseRequest(job_id=job_id, chunks=(0, 1), image="")
    plans = fabric.query_plans(lambda connection: reuse.find(connection, worker_id, request))
    assert not any("SCAN" in it for it in plans)


def test_a_task_that_failed_tells_why_it_missed_but_not_of_a_result_that_it_could_not_keep(fabric):
    ran(fabric, ["a"])
    job_id, worker_id = started(fabric, ["a", "b"])
    found = asked(fabric, job_id, worker_id, 2)
    ends = [result(it, 1, reason=EndReason.EXIT_NONZERO, reuse=found[it].note) for it in (0, 1)]
    fabric.commit(worker_id, job_id, Stage.APP, *ends)
    assert [row.reuse for row in fabric.tasks(job_id)] == [None, ReuseNote(reason=NEVER).model_dump()]
