"""Hands leases to a worker: the control plane's side of a claim."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gridloom.destinations import DestinationSpec
from gridloom.plan import JobPlan, PlannedStage
from gridloom.settings import Settings
from gridloom.states import JobState, Stage
from gridloom.wire import ClaimRequest, Work
from storage.columns import AnyRow
from storage.descriptors import S3_KINDS
from storage.repositories import cache, images, job_states, tasks

_PARAMS = {
    Stage.PARTITION: "PARTITIONER_PARAMS",
    Stage.APP: "APP_PARAMS",
    Stage.ASSEMBLE: "ASSEMBLER_PARAMS",
}
_BEGINS = {
    Stage.PARTITION: JobState.UPLOADING,
    Stage.ASSEMBLE: JobState.MERGING,
    Stage.DELIVER: JobState.DOWNLOADING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Won:
    """What a claim won: the work that all tasks share and what the plan says of it, and the tasks' rows.

    Both are None when nothing was won. Secrets, the image's login and the keys of source and destination are still
    missing in the work.
    """

    work: Work | None
    rows: Sequence[AnyRow]
    planned: PlannedStage | None = None


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
    plan = job_states.plan_of(job)
    work = _work(connection, job, plan, request.stage, len(rows), settings)
    return Won(work=work, rows=rows, planned=plan.stage(request.stage))


def _work(
    connection: Connection, job: AnyRow, plan: JobPlan, stage: Stage, won: int, settings: Settings
) -> Work:
    planned = plan.stage(stage)
    own, shared = cache.versions(connection, job.owner_id)
    return Work(
        owner_id=job.owner_id,
        component=planned.component,
        env=_env(stage, planned),
        needs=planned.needs,
        timeout_s=plan.task_timeout_s if stage is Stage.APP else None,
        source=plan.source if _needs_source(plan, stage) else None,
        destination=_destination(plan) if stage is Stage.DELIVER else None,
        max_chunks=settings.max_chunks if stage is Stage.PARTITION else 0,
        image_pin=images.pinned(connection, job.id, planned.component.image),
        waiting=max(0, job.chunks - job.completed - won) if stage is Stage.APP else 0,
        cache_version=own,
        shared_cache_version=shared,
        reuse=plan.reuse and stage is Stage.APP,
    )


def _needs_source(plan: JobPlan, stage: Stage) -> bool:
    """Whoever runs a chunk that is an object of the source fetches it there."""
    is_by_reference = plan.partitioner.passthrough and plan.source.descriptor in S3_KINDS
    return stage is Stage.PARTITION or (stage is Stage.APP and is_by_reference)


def _env(stage: Stage, planned: PlannedStage) -> dict[str, str]:
    if stage not in _PARAMS:
        return {}
    return {_PARAMS[stage]: json.dumps(planned.params, ensure_ascii=False, separators=(",", ":"))}


def _destination(plan: JobPlan) -> DestinationSpec:
    return DestinationSpec(descriptor=plan.destination, params=plan.destination_params)
