"""Starts a job: freezes its plan and creates its first task, or its only chunk where no process is needed."""

import hashlib
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from gridloom.errors import BadState, NotFound
from gridloom.plan import JobPlan
from gridloom.sources import BYPASS_DATA
from gridloom.states import JobState, Stage
from storage.columns import AnyRow
from storage.repositories import job_states, tasks


def launch(connection: Connection, job_id: str, plan: JobPlan) -> None:
    """Move a draft to Started with this plan; its first task waits until the draft's planned start.

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
    moment = job_states.now(connection)
    planned = {"started_at": row.start_at} if row.start_at and row.start_at > moment else {}
    begins_at = planned.get("started_at", moment)
    deadline = begins_at + timedelta(seconds=plan.job_timeout_s) if plan.job_timeout_s else None
    values = {"plan": plan.model_dump(mode="json"), "deadline_at": deadline} | planned
    first = {"job_id": job_id, "chunk": 0, "not_before": planned.get("started_at")}
    if plan.partitioner.passthrough and plan.source.descriptor in {"file", "bypass"}:
        tasks.insert_new(connection, [first | _only_chunk(row, plan) | {"stage": Stage.APP}])
        job_states.advance(connection, job_id, JobState.PARTITIONED, chunks=1, total=1, **values)
        return
    tasks.insert_new(connection, [first | {"stage": Stage.PARTITION}])
    job_states.advance(connection, job_id, JobState.STARTED, **values)


def _only_chunk(row: AnyRow, plan: JobPlan) -> dict[str, Any]:
    upload: dict[str, Any] = {"size": len(BYPASS_DATA), "sha256": hashlib.sha256(BYPASS_DATA).hexdigest()}
    if plan.source.blob_key:
        upload = row.upload or {}
    return {
        "chunk_key": plan.source.blob_key,
        "chunk_offset": 0,
        "chunk_size": int(upload.get("size", 0)),
        "chunk_sha256": upload.get("sha256"),
    }
