"""What workers may make ready before a job's tasks reach them: its stages, and the images that all of it runs."""

import re

from sqlalchemy import Connection

from gridloom.errors import BadInput, NotFound
from gridloom.plan import PlannedStage
from gridloom.states import JOB_LIVE, Stage
from gridloom.wire import PinRequest, Wanted, WarmReply
from storage.repositories import images, job_states
from storage.vault import Vault

_DIGEST = re.compile(r"(?:[^\s@]{1,500}@)?sha256:[0-9a-f]{64}")


def wanted(connection: Connection, vault: Vault, job_id: str) -> WarmReply:
    """Return the stages of a live job that start processes; of any other job none.

    Raises:
        VaultLocked, SealBroken: when a private image's token can't be opened.
    """
    job = job_states.standing(connection, job_id)
    if job is None or job.state not in JOB_LIVE:
        return WarmReply(stages=())
    plan = job_states.plans(connection, [job_id]).get(job_id)
    if plan is None:
        return WarmReply(stages=())
    return WarmReply(
        stages=tuple(
            _wanted(connection, vault, (job_id, job.owner_id), stage, plan.stage(stage))
            for stage in Stage
            if not plan.stage(stage).passthrough
        )
    )


def pin(connection: Connection, request: PinRequest) -> str:
    """Keep the first digest that is reported for an image of a live job; return that one.

    Any worker may report: it is about to run the job's code, mostly before it holds a lease.

    Raises:
        NotFound: when the job does not run.
        BadInput: when the digest is none, or no stage of the job runs the image.
    """
    job = job_states.find(connection, request.job_id)
    if job is None or job.state not in JOB_LIVE:
        raise NotFound(f"job {request.job_id[:64]!a} does not run")
    if not _DIGEST.fullmatch(request.digest):
        raise BadInput(f"{request.digest[:100]!a} is not the digest of an image", field="digest")
    plan = job_states.plan_of(job)
    if request.image not in {plan.stage(stage).component.image for stage in Stage} - {""}:
        raise BadInput(f"job {job.id} runs no image {request.image[:100]!a}", field="image")
    return images.pin(connection, job.id, request.image, request.digest)


def _wanted(
    connection: Connection, vault: Vault, job: tuple[str, str], stage: Stage, planned: PlannedStage
) -> Wanted:
    job_id, owner_id = job
    return Wanted(
        stage=stage,
        owner_id=owner_id,
        component=planned.component,
        needs=planned.needs,
        login=images.login(connection, vault, planned.component) if planned.private_image else None,
        image_pin=images.pinned(connection, job_id, planned.component.image),
    )
