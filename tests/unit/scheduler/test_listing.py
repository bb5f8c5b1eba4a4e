"""Output by reference holds every result once, under a name of its own."""

import pytest

from gridloom.states import EndReason, JobState, Stage, TaskState
from scheduler import listing as module
from storage.repositories import assembly
from tests.fixtures.fabric import plan_of, result, stage_of

BY_REFERENCE = {"assembler": stage_of(passthrough=True)}


@pytest.mark.parametrize("page", [1, 2, 3, 1_000])
def test_output_by_reference_has_every_file_under_a_name_of_its_own(fabric, monkeypatch, page):
    monkeypatch.setattr(module, "PAGE", page)
    job_id = fabric.run_chunks(5, plan_of(**BY_REFERENCE))
    fabric.complete(job_id, ["a.txt", "b"], ["a.txt"], ["a_3.txt"], ["a.txt"], [])
    fabric.progress(job_id)
    row = fabric.job(job_id)
    assert (row.state, row.output_epoch) == (JobState.COMPLETE, module.EPOCH)
    assert fabric.outputs(job_id) == {
        "a.txt": "0-a.txt",
        "b": "0-b",
        "a_1.txt": "1-a.txt",
        "a_3.txt": "2-a_3.txt",
        "a_3_2.txt": "3-a.txt",
    }
    assert fabric.tasks(job_id, Stage.ASSEMBLE) == []


@pytest.mark.parametrize("page", [1, 1_000])
def test_names_in_folders_are_left_to_a_worker(fabric, monkeypatch, page):
    monkeypatch.setattr(module, "PAGE", page)
    job_id = fabric.run_chunks(3, plan_of(**BY_REFERENCE))
    fabric.complete(job_id, ["a"], ["a/b"], ["c"])
    for _ in range(2):
        fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.MERGING
    assert fabric.outputs(job_id) == {}
    assert fabric.states(job_id, Stage.ASSEMBLE) == [TaskState.SCHEDULED]
    worker_id = fabric.worker()
    assert fabric.claim(worker_id, job_id, Stage.ASSEMBLE, 0) == {0: 1}
    fabric.commit(worker_id, job_id, Stage.ASSEMBLE, result(0, 1))
    assert (fabric.state(job_id), fabric.job(job_id).output_epoch) == (JobState.COMPLETE, 1)


def test_many_files_are_listed_in_bounded_pieces(fabric, monkeypatch):
    monkeypatch.setattr(assembly, "FILES_MAX", 10)
    monkeypatch.setattr(assembly, "_BATCH", 7)
    job_id = fabric.run_chunks(3, plan_of(**BY_REFERENCE))
    names = [f"f{number}" for number in range(25)]
    fabric.complete(job_id, names, names[:12], ["last", *names[:3]])
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.COMPLETE
    assert len(fabric.outputs(job_id)) == 25 + 12 + 4
    assert {"f24", "f11_1", "f2_2", "last"} <= set(fabric.outputs(job_id))


@pytest.mark.parametrize("page", [1, 1_000])
def test_each_chunk_gets_a_folder_when_the_parameters_say_so(fabric, monkeypatch, page):
    monkeypatch.setattr(module, "PAGE", page)
    assembler = stage_of(passthrough=True).model_copy(update={"params": {"by_chunk": True}})
    job_id = fabric.run_chunks(3, plan_of(assembler=assembler))
    fabric.complete(job_id, ["a", "a_1"], ["a", "b/c"], [])
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.COMPLETE
    assert fabric.outputs(job_id) == {"0/a": "0-a", "0/a_1": "0-a_1", "1/a": "1-a", "1/b/c": "1-b-c"}
    assert fabric.tasks(job_id, Stage.ASSEMBLE) == []


def test_a_bypassed_destination_lists_nothing(fabric):
    job_id = fabric.run_chunks(1, plan_of(**BY_REFERENCE, destination="bypass"))
    fabric.complete(job_id, ["a"])
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.COMPLETE
    assert fabric.outputs(job_id) == {}


def test_a_name_that_leads_elsewhere_fails_its_job_and_no_other(fabric):
    job_id = fabric.run_chunks(1, plan_of(**BY_REFERENCE))
    fabric.complete(job_id, [".."])
    fabric.progress(job_id)
    row = fabric.job(job_id)
    assert (row.state, row.end_reason) == (JobState.FAILED, EndReason.BAD_OUTPUT)
    assert "'..'" in row.error_message
    assert fabric.outputs(job_id) == {}
