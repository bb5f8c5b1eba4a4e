"""/jobs/{id}/…: the calls that change a draft, in their present and their older shapes."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, Row

from api.context import Context
from api.deps import CallerDep, ContextDep, RequestIdDep
from api.job_drafts import changed_config, changed_params
from api.job_ends import check_ends, keep_credentials, stored_source, without_credentials
from api.job_plans import check_arrived, resolve_blocks, tags_of
from api.job_view import config_of
from api.json_route import JsonRoute
from api.links import LinksDep
from api.routes.jobs import read_job
from api.shapes.base import GenericResponse
from api.shapes.jobs import DataSourceRequest, Empty, JobParams, JobResponse, NameRequest, RunRequest
from api.tokens import Caller
from gridloom.errors import BadState
from storage.repositories import jobs
from storage.repositories.inline_credentials import ENDS

router = APIRouter(route_class=JsonRoute, tags=["Jobs"])


def _edit(
    context: Context, caller: Caller, job_id: str, change: Callable[[Row[Any]], Mapping[str, Any]]
) -> None:
    def work(connection: Connection) -> None:
        row = jobs.draft(connection, job_id, owner_id=caller.account_id)
        jobs.change(connection, row.id, **change(row))

    context.writer.run(work)


@router.patch("/jobs/{job_id}/datasource")
@router.post("/jobs/{job_id}/datasource", deprecated=True)
@router.post("/jobs/datasource/{job_id}", deprecated=True)
def set_data_source(
    job_id: str, body: DataSourceRequest, context: ContextDep, caller: CallerDep, links: LinksDep
) -> JobResponse:
    """Set where data comes from and goes to; the answer for a `file` source has the link to upload it to.

    Whoever sends an end as it was answered, which is without its secrets, leaves these as they are.
    """
    sent = {
        "data_source": stored_source(body.data_source),
        "data_destination": stored_source(body.data_destination),
    }
    check_ends(**sent, allow_private_hosts=context.settings.allow_private_hosts)
    given, secrets = without_credentials(sent)

    def work(connection: Connection) -> None:
        row = jobs.draft(connection, job_id, owner_id=caller.account_id)
        new = [end for end in ENDS if given[end] and (secrets[end] or given[end] != getattr(row, end))]
        upload = None if given["data_source"] else row.upload
        jobs.change(connection, row.id, **{end: given[end] for end in new}, upload=upload)
        holder = jobs.holder_of(caller.account_id, row.id)
        keep_credentials(connection, context.vault, holder, {end: secrets[end] for end in new})

    context.writer.run(work)
    return read_job(job_id, context, caller, links)


@router.patch("/jobs/{job_id}/params")
@router.post("/jobs/{job_id}/params", deprecated=True)
@router.post("/jobs/params/{job_id}", deprecated=True)
def set_params(
    job_id: str, body: JobParams, context: ContextDep, caller: CallerDep, links: LinksDep
) -> JobResponse:
    """Replace the given sections of the parameters."""
    with context.database.read() as connection:
        draft = jobs.draft(connection, job_id, owner_id=caller.account_id)
        blocks = resolve_blocks(connection, caller.account_id, tags_of(draft))
    blocks.check_params(changed_params(draft.params, body))
    _edit(context, caller, job_id, lambda row: {"params": changed_params(row.params, body)})
    return read_job(job_id, context, caller, links)


@router.patch("/jobs/{job_id}/configs")
@router.post("/jobs/{job_id}/configs", deprecated=True)
def set_configs(
    job_id: str, body: RunRequest, context: ContextDep, caller: CallerDep, links: LinksDep
) -> JobResponse:
    """Change execution settings."""
    _edit(context, caller, job_id, lambda row: {"config": changed_config(row.config, body)})
    return read_job(job_id, context, caller, links)


@router.get("/jobs/{job_id}/configs", deprecated=True)
def get_configs(job_id: str, context: ContextDep, caller: CallerDep) -> dict[str, Any]:
    """Read execution settings."""
    with context.database.read() as connection:
        return config_of(jobs.get(connection, caller.account_id, job_id).config)


@router.patch("/jobs/{job_id}/jobname")
def set_job_name(
    job_id: str,
    body: NameRequest,
    context: ContextDep,
    caller: CallerDep,
    links: LinksDep,
) -> JobResponse:
    """Rename a draft; the body is the name itself, or an object with it. The empty name is the default one."""
    _edit(context, caller, job_id, lambda row: {"name": body.name or f"Job {row.id}"})
    return read_job(job_id, context, caller, links)


@router.patch("/jobs/{job_id}/uploadcompleted")
@router.post("/jobs/{job_id}/uploadcompleted", deprecated=True)
@router.post("/jobs/uploadcompleted/{job_id}", deprecated=True)
def confirm_upload(
    job_id: str,
    context: ContextDep,
    caller: CallerDep,
    request_id: RequestIdDep,
    _: Empty | None = None,
) -> GenericResponse:
    """Confirm that the file of a `file` source was uploaded."""

    def confirmed(row: Row[Any]) -> Mapping[str, Any]:
        if (row.data_source or {}).get("dataSourceDescriptor") != "file":
            raise BadState(f"the data source of job {row.id} is not a file")
        check_arrived(row)
        return {"upload": row.upload | {"confirmed": True}}

    _edit(context, caller, job_id, confirmed)
    return GenericResponse(request_id=request_id, message="confirmed")
