"""Moves a live job on: failed tasks fail it, finished tasks start its assembly, listed outputs complete it."""

from typing import Any

from sqlalchemy import Connection

from gridloom.flat_merge import merge_candidates
from gridloom.plan import JobPlan
from gridloom.settings import Settings
from gridloom.states import JOB_LIVE, EndReason, JobState, Stage
from scheduler import ending, outcomes
from storage.columns import AnyRow
from storage.repositories import assembly, job_states, tasks

PAGE = 1_000
EPOCH_BY_REFERENCE = 1


def assembled_by_reference(plan: JobPlan) -> bool:
    """Tell whether a job's results are its output as they lie in the fabric's own store, so nothing has to move."""
    return plan.assembler.passthrough and plan.destination in {"bucket", "bypass"}


def progress(connection: Connection, job_id: str, settings: Settings) -> bool:
    """Take the next step of a job, if there is one to take; True when another may follow at once."""
    row = job_states.find(connection, job_id)
    if row is None or JobState(row.state) not in JOB_LIVE:
        return False
    failed = tasks.first_failed(connection, job_id)
    if failed is not None:
        ending.fail(connection, job_id, EndReason(failed.reason), _failure(failed))
        return False
    if row.state == JobState.PARTITIONED and not tasks.unfinished(connection, job_id, Stage.APP):
        return _begin_assembly(connection, row)
    if row.state == JobState.MERGING and assembled_by_reference(job_states.plan_of(row)):
        return _list_outputs(connection, row, settings)
    return False


def _begin_assembly(connection: Connection, row: AnyRow) -> bool:
    plan = job_states.plan_of(row)
    if assembled_by_reference(plan):
        return job_states.advance(connection, row.id, JobState.MERGING)
    tasks.insert_new(connection, [{"job_id": row.id, "stage": Stage.ASSEMBLE, "chunk": 0}])
    return job_states.advance(connection, row.id, JobState.TASKS_COMPLETED)


def _list_outputs(connection: Connection, row: AnyRow, settings: Settings) -> bool:
    page = []
    if job_states.plan_of(row).destination == "bucket":
        page = assembly.results_page(connection, row.id, row.output_cursor, PAGE)
        assembly.add_outputs(connection, row.id, EPOCH_BY_REFERENCE, _outputs(connection, row.id, page))
    if len(page) == PAGE:
        return assembly.move_cursor(connection, row.id, row.output_cursor, page[-1].chunk + 1)
    outcomes.finish(connection, row.id, EPOCH_BY_REFERENCE, settings)
    return False


def _outputs(connection: Connection, job_id: str, page: list[AnyRow]) -> list[dict[str, Any]]:
    files = [(task.chunk, *file) for task in page for file in task.results or ()]
    taken = assembly.taken_paths(connection, job_id, EPOCH_BY_REFERENCE, {file[1] for file in files})
    chosen: list[dict[str, Any]] = []
    for chunk, name, size, key, offset in files:
        for path in merge_candidates(name, chunk):
            if path in taken:
                continue
            if path != name and assembly.taken_paths(connection, job_id, EPOCH_BY_REFERENCE, [path]):
                continue
            taken.add(path)
            chosen.append({"path": path, "size": size, "key": key, "offset": offset})
            break
    return chosen


def _failure(task: AnyRow) -> str:
    what = {
        Stage.PARTITION: "the partitioner",
        Stage.APP: f"task {task.chunk}",
        Stage.ASSEMBLE: "the assembler",
    }[Stage(task.stage)]
    tries = task.user_failures + task.infra_failures
    text = f"{what} failed: {task.message or task.reason}"
    return f"{text} (after {tries} attempts)" if tries > 1 else text
