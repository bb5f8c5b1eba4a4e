"""/v1/dev/engines: upload, look up, activate. Publish, import and delete are not built yet."""

import base64
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import component_view
from api.component_view import archive_link, engine_of, status_of
from api.deps import CallerDep, ContextDep, PageDep
from api.json_route import JsonRoute
from api.links import LinksDep
from api.push import decode_archive, push_component
from api.shapes.base import PaginatedResponse
from api.shapes.components import Engine, EngineListResponse, EngineMessage, UploadEngineRequest
from gridloom.errors import BadInput
from storage.repositories import components
from storage.repositories.components import ENGINES, ComponentRow

router = APIRouter(route_class=JsonRoute, tags=["Engines"])

TagPath = Annotated[str, Path(alias="engineTag", description="name, name@major, name@major.minor or an id")]


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
        engines=[engine_of(row, links) for row in rows],
        pagination=PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows)),
    )


@router.post("/engines")
def upload_engine(
    context: ContextDep,
    caller: CallerDep,
    links: LinksDep,
    body: UploadEngineRequest | None = None,
    engine_data: Annotated[str, Query(alias="engineData")] = "",
) -> Engine:
    """Upload a partitioner or assembler, in the body or the query."""
    data = (body and (body.data or body.engine_data)) or engine_data
    if not data:
        raise BadInput("data is missing; send the archive as base64", field="data")
    return engine_of(push_component(context, caller.account_id, decode_archive(data), ENGINES), links)


@router.get("/engines/{engineTag:path}/status")
def get_engine_status(context: ContextDep, caller: CallerDep, tag: TagPath) -> EngineMessage:
    """Tell whether jobs may use the engine."""
    return _message(component_view.named(context, caller, tag, ENGINES, "engine"))


@router.post("/engines/{engineTag:path}/activate")
def activate_engine(context: ContextDep, caller: CallerDep, tag: TagPath) -> EngineMessage:
    """Let jobs use the engine."""
    row = component_view.named(context, caller, tag, ENGINES, "engine")
    component_view.activate(context, caller, row, active=True)
    return _message(row, "active")


@router.post("/engines/{engineTag:path}/deactivate")
def deactivate_engine(context: ContextDep, caller: CallerDep, tag: TagPath) -> EngineMessage:
    """Stop jobs from using the engine."""
    row = component_view.named(context, caller, tag, ENGINES, "engine")
    component_view.activate(context, caller, row, active=False)
    return _message(row, "inactive")


@router.get("/engines/{engineTag:path}/download")
def download_engine(context: ContextDep, caller: CallerDep, links: LinksDep, tag: TagPath) -> EngineMessage:
    """Return the engine's archive and a link to it."""
    row = component_view.named(context, caller, tag, ENGINES, "engine")
    data = base64.b64encode(context.store.get_bytes(row.archive_key)).decode()
    return _message(row, data=data, link=archive_link(row, links))


@router.get("/engines/{engineTag:path}")
def get_engine(context: ContextDep, caller: CallerDep, links: LinksDep, tag: TagPath) -> Engine:
    """Read one engine."""
    return engine_of(component_view.named(context, caller, tag, ENGINES, "engine"), links)


def _message(row: ComponentRow, status: str = "", *, data: str = "", link: str = "") -> EngineMessage:
    return EngineMessage(
        engine_id=row.id,
        engine_tag=f"{row.name}@{row.version}",
        engine_data=data,
        engine_link=link,
        engine_status=status or status_of(row),
    )
