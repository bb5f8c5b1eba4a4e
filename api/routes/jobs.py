"""/jobs: drafts are made, looked at, run, stopped and removed; other modules list and change them."""

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from api import funds, injection
from api.context import Context
from api.deps import CallerDep, ContextDep, RequestIdDep, context_of
from api.idempotency import AskedDep
from api.job_drafts import ROLES, changed_config, draft_columns, find_template
from api.job_ends import check_ends, keep_credentials, with_credentials, without_credentials
from api.job_plans import make_plan, resolve_blocks, tags_of
from api.job_view import job_response
from api.json_route import JsonRoute
from api.links import LinkMaker, LinksDep
from api.shapes.base import GenericResponse
from api.shapes.jobs import CreateJobRequest, JobResponse, RunRequest
from api.short_reads import run_short
from api.tokens import Caller
from gridloom.errors import BadState, Forbidden, TooMany
from gridloom.ids import new_uuid
from gridloom.states import JOB_LIVE, JobState
from scheduler import ending, launch
from storage.repositories import idempotency, inline_credentials, jobs

router = APIRouter(route_class=JsonRoute, tags=["Jobs"])

_COPIED = (
    "name",
    "description",
    "template_id",
    "template_info",
    "app_tag",
    "partitioner_tag",
    "assembler_tag",
    "params",
    "data_source",
    "data_destination",
    "config",
    "priority",
    "regions",
)
_RETRY_AFTER_S = 10


@router.post("/jobs")
def create_job(
    body: CreateJobRequest, context: ContextDep, caller: CallerDep, links: LinksDep, asked: AskedDep
) -> JobResponse:
    """Make a draft from a template or from three component tags."""
    account_id, job_id = caller.account_id, new_uuid()
    with context.database.read() as connection:
        if asked and (first := idempotency.found(connection, asked)):
            return read_job(first, context, caller, links)
        _check_room(connection, context, caller)
        template = find_template(connection, account_id, body.template_id) if body.template_id else None
        columns = draft_columns(body, template)
        if template and template.owner_id == account_id:
            columns = with_credentials(connection, context.vault, template, columns)
        tags = {role: columns[f"{role}_tag"] for role in ROLES}
        blocks = resolve_blocks(connection, account_id, tags)
    blocks.check_params(columns["params"])
    check_ends(columns["data_source"], columns["data_destination"], context.settings.allow_private_hosts)
    columns, secrets = without_credentials(columns)
    columns["template_info"]["app_id"] = blocks.app_id
    columns |= {"id": job_id, "owner_id": account_id, "name": body.name or f"Job {job_id}"}

    def create(connection: Connection) -> str:
        first = idempotency.take(connection, asked, job_id) if asked else job_id
        if first == job_id:
            jobs.create(connection, columns)
            keep_credentials(connection, context.vault, jobs.holder_of(account_id, job_id), secrets)
        return first

    return read_job(context.writer.run(create), context, caller, links)


def _check_room(connection: Connection, context: Context, caller: Caller) -> None:
    limit = context.settings.max_stored_jobs
    if jobs.count(connection, caller.account_id) >= limit:
        raise Forbidden(f"the account keeps {limit} jobs, which is its limit; delete some first")


@router.get("/jobs/{job_id}")
async def get_job(job_id: str, request: Request, caller: CallerDep) -> JobResponse:
    """Read a job."""
    context, links = context_of(request), LinkMaker(request)
    return await run_short(context.database, read_job, job_id, context, caller, links)


def read_job(job_id: str, context: Context, caller: Caller, links: LinkMaker) -> JobResponse:
    """Return a job as calls answer it.

    Raises:
        NotFound: when the caller has no such job.
    """
    row = context.database.look(lambda connection: jobs.get(connection, caller.account_id, job_id))
    waits = row.state == JobState.NEW and (row.data_source or {}).get("dataSourceDescriptor") == "file"
    return job_response(row, links.upload(row.id) if waits else None)


@router.post("/jobs/{job_id}/duplicate")
def duplicate_job(job_id: str, context: ContextDep, caller: CallerDep, links: LinksDep) -> JobResponse:
    """Copy a job into a new draft; an uploaded file is not copied."""
    copy_id = new_uuid()
    with context.database.read() as connection:
        _check_room(connection, context, caller)

    def copy(connection: Connection) -> None:
        row = jobs.get(connection, caller.account_id, job_id)
        values = {name: getattr(row, name) for name in _COPIED}
        jobs.create(connection, values | {"id": copy_id, "owner_id": caller.account_id})
        inline_credentials.duplicate(connection, jobs.holder_of(caller.account_id, row.id), copy_id)

    context.writer.run(copy)
    return read_job(copy_id, context, caller, links)


@router.post("/jobs/{job_id}/run")
@router.post("/jobs/run/{job_id}", deprecated=True)
def run_job(
    job_id: str,
    context: ContextDep,
    caller: CallerDep,
    request_id: RequestIdDep,
    asked: AskedDep,
    body: RunRequest | None = None,
) -> GenericResponse:
    """Start a draft, with settings that replace its own; one with a planned start begins then."""
    started = GenericResponse(request_id=request_id, message="started")
    with context.database.read() as connection:
        if asked and idempotency.found(connection, asked):
            return started
        draft = jobs.draft(connection, job_id, owner_id=caller.account_id)
        blocks = resolve_blocks(connection, caller.account_id, tags_of(draft))
        injection.check_named(connection, caller.account_id, blocks)
        injection.check_ends(connection, draft)
    blocks.check_params(draft.params)
    check_ends(draft.data_source, draft.data_destination, context.settings.allow_private_hosts)
    config = changed_config(draft.config, body)
    plan = make_plan(draft, config, blocks)

    def start(connection: Connection) -> None:
        if jobs.draft(connection, draft.id) != draft:
            raise BadState(f"job {draft.id} was changed at the same time; run it again")
        if asked:
            idempotency.take(connection, asked, draft.id)
        check_live(connection, context, caller.account_id)
        info = draft.template_info | {"app_id": blocks.app_id}
        jobs.change(connection, draft.id, config=config, template_info=info)
        funds.reserve(connection, draft, plan.app.needs, context.settings)
        launch.launch(connection, draft.id, plan)

    context.writer.run(start)
    context.wakeup.notify(draft.id)
    context.wakeup.warm(draft.id)
    return started


def check_live(connection: Connection, context: Context, account_id: str) -> None:
    """Raise TooMany when no further job of the account may run."""
    limit = context.settings.max_live_jobs
    if jobs.count_live(connection, account_id) >= limit:
        raise TooMany(f"{limit} jobs of the account run, which is its limit", retry_after_s=_RETRY_AFTER_S)


@router.post("/jobs/{job_id}/abort")
def abort_job(
    job_id: str, context: ContextDep, caller: CallerDep, request_id: RequestIdDep
) -> GenericResponse:
    """Stop a running job; a draft is deleted."""

    def abort(connection: Connection) -> str:
        row = jobs.get(connection, caller.account_id, job_id)
        if row.state == JobState.NEW:
            jobs.remove(connection, caller.account_id, row.id)
            return "deleted"
        if not ending.abort(connection, row.id, context.settings):
            raise BadState(f"job {row.id} has ended already: it is {row.state}")
        return "aborted"

    done = context.writer.run(abort)
    _stop_tasks(context, job_id, done)
    return GenericResponse(request_id=request_id, message=done)


@router.delete("/jobs/{job_id}")
def delete_job(
    job_id: str, context: ContextDep, caller: CallerDep, request_id: RequestIdDep
) -> GenericResponse:
    """Remove a job from the lists; a running one is aborted first."""
    done = context.writer.run(lambda connection: _delete(connection, context, caller, job_id))
    _stop_tasks(context, job_id, done)
    return GenericResponse(request_id=request_id, message="deleted")


def _delete(connection: Connection, context: Context, caller: Caller, job_id: str) -> str:
    row = jobs.get(connection, caller.account_id, job_id)
    running = row.state in JOB_LIVE
    if running:
        ending.abort(connection, row.id, context.settings)
    jobs.remove(connection, caller.account_id, row.id)
    return "aborted" if running else "deleted"


def _stop_tasks(context: Context, job_id: str, done: str) -> None:
    if done == "aborted":
        context.wakeup.cancel(job_id)
