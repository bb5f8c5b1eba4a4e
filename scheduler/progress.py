"""Moves a live job on: failed tasks fail it, finished tasks start its assembly, listed outputs end that."""

from sqlalchemy import Connection

from gridloom.settings import Settings
from gridloom.states import JOB_LIVE, EndReason, JobState, Stage
from scheduler import ending
from scheduler.listing import assembled_by_reference, list_outputs
from storage.columns import AnyRow
from storage.repositories import job_states, tasks


def progress(connection: Connection, job_id: str, settings: Settings) -> bool:
    """Take the next step of a job, if there is one to take; True when another may follow at once."""
    row = job_states.find(connection, job_id)
    if row is None or JobState(row.state) not in JOB_LIVE:
        return False
    failed = tasks.first_failed(connection, job_id)
    if failed is not None:
        ending.fail(connection, job_id, EndReason(failed.reason), _failure(failed), settings)
        return False
    if row.state == JobState.PARTITIONED and not tasks.unfinished(connection, job_id, Stage.APP):
        return _begin_assembly(connection, row)
    if row.state == JobState.MERGING and assembled_by_reference(job_states.plan_of(row)):
        return list_outputs(connection, row, settings)
    return False


def _begin_assembly(connection: Connection, row: AnyRow) -> bool:
    plan = job_states.plan_of(row)
    if assembled_by_reference(plan):
        return job_states.advance(connection, row.id, JobState.MERGING)
    tasks.insert_new(connection, [{"job_id": row.id, "stage": Stage.ASSEMBLE, "chunk": 0}])
    return job_states.advance(connection, row.id, JobState.TASKS_COMPLETED)


def _failure(task: AnyRow) -> str:
    what = {
        Stage.PARTITION: "the partitioner",
        Stage.APP: f"task {task.chunk}",
        Stage.ASSEMBLE: "the assembler",
        Stage.DELIVER: "the delivery",
    }[Stage(task.stage)]
    tries = task.user_failures + task.infra_failures
    text = f"{what} failed: {task.message or task.reason}"
    return f"{text} (after {tries} attempts)" if tries > 1 else text
