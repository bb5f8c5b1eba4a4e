"""/v1/dev/engines: upload, look up, activate, publish, copy, delete."""

import base64
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import component_view
from api.archive_fetch import fetch_archive
from api.component_view import archive_link, engine_of, status_of
from api.context import Context
from api.deps import CallerDep, ContextDep, PageDep, RequestIdDep
from api.imports import import_component
from api.json_route import JsonRoute
from api.links import LinksDep
from api.push import decode_base64, push_component
from api.shapes.base import GenericResponse, PaginatedResponse
from api.shapes.components import (
    Engine,
    EngineListResponse,
    EngineMessage,
    EngineQuery,
    ImportRequest,
    UploadEngineQuery,
    UploadEngineRequest,
)
from gridloom.errors import BadInput
from storage.repositories import components
from storage.repositories.components import ENGINES, ComponentRow

router = APIRouter(route_class=JsonRoute, tags=["Engines"])

TagPath = Annotated[str, Path(alias="engineTag", description="name, name@major, name@major.minor or an id")]
OldQuery = Annotated[EngineQuery, Query()]


@router.get("/engines")
def get_engines(
    context: ContextDep,
    caller: CallerDep,
    page: PageDep,
    links: LinksDep,
    public: Annotated[bool, Query(alias="isPublic")] = False,
) -> EngineListResponse:
    """List the caller's engines, or with `isPublic` every public one, the built-in ones among them."""
    with context.database.read() as connection:
        rows, total = components.listed(connection, caller.account_id, ENGINES, public=public, span=page)
    return EngineListResponse(
        engines=[engine_of(row, links, caller) for row in rows],
        pagination=PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows)),
    )


@router.post("/engines")
def upload_engine(
    context: ContextDep,
    caller: CallerDep,
    links: LinksDep,
    query: Annotated[UploadEngineQuery, Query()],
    body: UploadEngineRequest | None = None,
) -> Engine:
    """Upload a partitioner or assembler, in the body, the query or by a link; the status may be set at once."""
    given = body or UploadEngineRequest()
    status = (given.engine_status or query.engine_status).strip().lower()
    if status not in ("", "active", "inactive"):
        raise BadInput("engineStatus must be active or inactive", field="engineStatus")
    data = _archive(context, given, query)
    row = push_component(context, caller.account_id, data, ENGINES)
    if status and status != status_of(row):
        row = _activated(context, row, active=status == "active")
    return engine_of(row, links, caller)


@router.get("/engines/{engineTag:path}/status")
def get_engine_status(
    context: ContextDep,
    caller: CallerDep,
    tag: TagPath,
    query: OldQuery,  # noqa: ARG001 - published
) -> EngineMessage:
    """Tell whether jobs may use the engine."""
    return _message(component_view.named(context, caller, tag, ENGINES, "engine"))


@router.post("/engines/{engineTag:path}/activate")
def activate_engine(
    context: ContextDep,
    caller: CallerDep,
    tag: TagPath,
    query: OldQuery,  # noqa: ARG001 - published
) -> EngineMessage:
    """Let jobs use the engine."""
    row = component_view.owned(context, caller, tag, ENGINES, "engine")
    return _message(_activated(context, row, active=True))


@router.post("/engines/{engineTag:path}/deactivate")
def deactivate_engine(
    context: ContextDep,
    caller: CallerDep,
    tag: TagPath,
    query: OldQuery,  # noqa: ARG001 - published
) -> EngineMessage:
    """Stop jobs from using the engine."""
    row = component_view.owned(context, caller, tag, ENGINES, "engine")
    return _message(_activated(context, row, active=False))


@router.post("/engines/{engineTag:path}/publish")
def publish_engine(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Let everybody see, use and copy the engine; its registry login and secrets stay the owner's."""
    row = component_view.owned(context, caller, tag, ENGINES, "engine")
    context.writer.run(lambda connection: components.set_public(connection, row.id, public=True))
    return GenericResponse(request_id=request_id, message="public")


@router.post("/engines/{engineTag:path}/unpublish")
def unpublish_engine(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Keep the engine to its owner again; jobs that others have started go on."""
    row = component_view.owned(context, caller, tag, ENGINES, "engine")
    context.writer.run(lambda connection: components.set_public(connection, row.id, public=False))
    return GenericResponse(request_id=request_id, message="private")


@router.post("/engines/{engineTag:path}/import")
def import_engine(
    context: ContextDep, caller: CallerDep, links: LinksDep, tag: TagPath, body: ImportRequest | None = None
) -> Engine:
    """Copy a public engine into the caller's account; the copy is private and inactive."""
    row = import_component(context, caller, tag, ENGINES, "engine", body or ImportRequest())
    return engine_of(row, links, caller)


@router.get("/engines/{engineTag:path}/download")
def download_engine(
    context: ContextDep,
    caller: CallerDep,
    links: LinksDep,
    tag: TagPath,
    query: OldQuery,  # noqa: ARG001 - published
) -> EngineMessage:
    """Return the engine's archive and a link to it."""
    row = component_view.named(context, caller, tag, ENGINES, "engine")
    data = base64.b64encode(context.store.get_bytes(row.archive_key)).decode()
    return _message(row, data=data, link=archive_link(row, links))


@router.get("/engines/{engineTag:path}")
def get_engine(
    context: ContextDep,
    caller: CallerDep,
    links: LinksDep,
    tag: TagPath,
    query: OldQuery,  # noqa: ARG001 - published
) -> Engine:
    """Read one engine."""
    return engine_of(component_view.named(context, caller, tag, ENGINES, "engine"), links, caller)


@router.delete("/engines/{engineTag:path}")
def delete_engine(context: ContextDep, caller: CallerDep, tag: TagPath) -> EngineMessage:
    """Delete one version of an engine; jobs that were started with it go on."""
    row = component_view.owned(context, caller, tag, ENGINES, "engine")
    context.writer.run(lambda connection: components.remove(connection, row.id))
    return _message(row, "deleted")


def _archive(context: Context, body: UploadEngineRequest, query: UploadEngineQuery) -> bytes:
    data, link = body.data or body.engine_data or query.engine_data, body.engine_link or query.engine_link
    if data:
        return decode_base64(data)
    if link:
        return fetch_archive(link, context.settings)
    raise BadInput("data is missing; send the archive as base64, or engineLink", field="data")


def _activated(context: Context, row: ComponentRow, *, active: bool) -> ComponentRow:
    context.writer.run(lambda connection: components.set_active(connection, row.id, active=active))
    return replace(row, active=active)


def _message(row: ComponentRow, status: str = "", *, data: str = "", link: str = "") -> EngineMessage:
    return EngineMessage(
        engine_id=row.id,
        engine_tag=f"{row.name}@{row.version}",
        engine_data=data,
        engine_link=link,
        engine_status=status or status_of(row),
    )
