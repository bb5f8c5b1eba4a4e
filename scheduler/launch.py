"""Starts a job: freezes its plan and creates its first task, or its only chunk where no process is needed."""

from datetime import timedelta

from sqlalchemy import Connection

from gridloom.errors import BadState, NotFound
from gridloom.plan import JobPlan
from gridloom.sources import BYPASS_DATA
from gridloom.states import JobState, Stage
from storage.repositories import job_states, tasks


def launch(connection: Connection, job_id: str, plan: JobPlan) -> None:
    """Move a draft to Started with this plan.

    A passthrough partitioner whose source already lies in the fabric makes its chunk here and now: the source object
    is the chunk. Everything else begins with a partition task.

    Raises:
        NotFound: when there is no such job.
        BadState: when it is not a draft any more.
    """
    row = job_states.find(connection, job_id)
    if row is None:
        raise NotFound(f"job {job_id} not found")
    if row.state != JobState.NEW:
        raise BadState(f"job {job_id} is {row.state}, only a new job can be run")
    deadline = None
    if plan.job_timeout_s:
        deadline = job_states.now(connection) + timedelta(seconds=plan.job_timeout_s)
    frozen = plan.model_dump(mode="json")
    if plan.partitioner.passthrough and plan.source.descriptor in {"file", "bypass"}:
        size = int((row.upload or {}).get("size", 0)) if plan.source.blob_key else len(BYPASS_DATA)
        chunk = {"chunk_key": plan.source.blob_key, "chunk_offset": 0, "chunk_size": size}
        tasks.insert_new(connection, [{"job_id": job_id, "stage": Stage.APP, "chunk": 0, **chunk}])
        job_states.advance(
            connection, job_id, JobState.PARTITIONED, plan=frozen, deadline_at=deadline, chunks=1, total=1
        )
        return
    tasks.insert_new(connection, [{"job_id": job_id, "stage": Stage.PARTITION, "chunk": 0}])
    job_states.advance(connection, job_id, JobState.STARTED, plan=frozen, deadline_at=deadline)
