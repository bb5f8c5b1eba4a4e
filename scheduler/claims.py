"""Hands leases to a worker: the control plane's side of a claim."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gridloom.settings import Settings
from gridloom.states import JobState, Stage
from gridloom.wire import ClaimRequest, Work
from storage.columns import AnyRow
from storage.repositories import images, job_states, tasks

_PARAMS = {
    Stage.PARTITION: "PARTITIONER_PARAMS",
    Stage.APP: "APP_PARAMS",
    Stage.ASSEMBLE: "ASSEMBLER_PARAMS",
}
_BEGINS = {Stage.PARTITION: JobState.UPLOADING, Stage.ASSEMBLE: JobState.MERGING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Won:
    """What a claim won: the work all tasks share (None when there are none), and the tasks' rows."""

    work: Work | None
    rows: Sequence[AnyRow]


def claim(connection: Connection, worker_id: str, request: ClaimRequest, settings: Settings) -> Won:
    """Lease what still waits among the asked-for tasks; a stale or forged hint wins nothing."""
    job = job_states.find(connection, request.job_id)
    if job is None:
        return Won(work=None, rows=())
    rows = tasks.claim(connection, worker_id, request.job_id, request.stage, request.chunks, settings.lease_s)
    if not rows:
        return Won(work=None, rows=())
    if request.stage in _BEGINS:
        job_states.advance(connection, request.job_id, _BEGINS[request.stage])
    return Won(work=_work(connection, job, request.stage, len(rows), settings), rows=rows)


def _work(connection: Connection, job: AnyRow, stage: Stage, won: int, settings: Settings) -> Work:
    plan = job_states.plan_of(job)
    planned = plan.stage(stage)
    return Work(
        owner_id=job.owner_id,
        component=planned.component,
        env={_PARAMS[stage]: json.dumps(planned.params, ensure_ascii=False, separators=(",", ":"))},
        needs=planned.needs,
        timeout_s=plan.task_timeout_s if stage is Stage.APP else None,
        source=plan.source if stage is Stage.PARTITION else None,
        max_chunks=settings.max_chunks if stage is Stage.PARTITION else 0,
        login=images.login(connection, planned.component) if planned.private_image else None,
        image_pin=images.pinned(connection, job.id, planned.component.image),
        waiting=max(0, job.chunks - job.completed - won) if stage is Stage.APP else 0,
    )
