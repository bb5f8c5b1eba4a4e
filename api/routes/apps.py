"""/v1/dev/apps: upload, look up, activate, publish, copy, delete."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import component_view
from api.component_view import app_of, archive_link, status_of
from api.deps import CallerDep, ContextDep, PageDep, RequestIdDep
from api.imports import import_component
from api.json_route import JsonRoute
from api.links import LinksDep
from api.push import decode_base64, push_component
from api.shapes.base import GenericResponse, PaginatedResponse
from api.shapes.components import (
    App,
    AppListResponse,
    AppResponse,
    ImportRequest,
    LinkResponse,
    UploadAppRequest,
)
from storage.repositories import components
from storage.repositories.components import ANY, APPS

router = APIRouter(route_class=JsonRoute, tags=["apps"])

TagPath = Annotated[str, Path(alias="appTag", description="name, name@major, name@major.minor or an id")]


@router.get("/apps")
def get_apps(
    context: ContextDep,
    caller: CallerDep,
    page: PageDep,
    links: LinksDep,
    public: Annotated[bool, Query(alias="isPublic")] = False,
) -> AppListResponse:
    """List the caller's apps, or with `isPublic` every public one."""
    with context.database.read() as connection:
        rows, total = components.listed(connection, caller.account_id, APPS, public=public, span=page)
    return AppListResponse(
        apps=[app_of(row, links, caller) for row in rows],
        pagination=PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows)),
    )


@router.post("/apps")
def upload_app(context: ContextDep, caller: CallerDep, links: LinksDep, body: UploadAppRequest) -> App:
    """Upload an app, and the template in its archive; an archive of an engine is stored as that."""
    row = push_component(context, caller.account_id, decode_base64(body.data), ANY)
    return app_of(row, links, caller)


# A tag may hold a slash (`user/name`), so the routes with a verb come before the one that takes whatever is left.
@router.get("/apps/{appTag:path}/status")
def get_app_status(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Tell in `message` whether jobs may use the app."""
    row = component_view.named(context, caller, tag, ANY, "app")
    return GenericResponse(request_id=request_id, message=status_of(row))


@router.post("/apps/{appTag:path}/activate")
def activate_app(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Let jobs use the app."""
    row = component_view.owned(context, caller, tag, ANY, "app")
    context.writer.run(lambda connection: components.set_active(connection, row.id, active=True))
    return GenericResponse(request_id=request_id, message="active")


@router.post("/apps/{appTag:path}/deactivate")
def deactivate_app(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Stop jobs from using the app."""
    row = component_view.owned(context, caller, tag, ANY, "app")
    context.writer.run(lambda connection: components.set_active(connection, row.id, active=False))
    return GenericResponse(request_id=request_id, message="inactive")


@router.post("/apps/{appTag:path}/publish")
def publish_app(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Let everybody see, use and copy the app; its registry login and secrets stay the owner's."""
    row = component_view.owned(context, caller, tag, ANY, "app")
    context.writer.run(lambda connection: components.set_public(connection, row.id, public=True))
    return GenericResponse(request_id=request_id, message="public")


@router.post("/apps/{appTag:path}/unpublish")
def unpublish_app(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Keep the app to its owner again; jobs that others have started go on."""
    row = component_view.owned(context, caller, tag, ANY, "app")
    context.writer.run(lambda connection: components.set_public(connection, row.id, public=False))
    return GenericResponse(request_id=request_id, message="private")


@router.post("/apps/{appTag:path}/import")
def import_app(
    context: ContextDep, caller: CallerDep, links: LinksDep, tag: TagPath, body: ImportRequest | None = None
) -> AppResponse:
    """Copy a public app into the caller's account; the copy is private and inactive."""
    row = import_component(context, caller, tag, ANY, "app", body or ImportRequest())
    return AppResponse(app=app_of(row, links, caller))


@router.get("/apps/{appTag:path}/download")
def download_app(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, links: LinksDep, tag: TagPath
) -> LinkResponse:
    """Return a link to the app's archive."""
    link = archive_link(component_view.named(context, caller, tag, ANY, "app"), links)
    return LinkResponse(request_id=request_id, message=link, link=link)


@router.get("/apps/{appTag:path}")
def get_app(context: ContextDep, caller: CallerDep, links: LinksDep, tag: TagPath) -> AppResponse:
    """Read one app."""
    return AppResponse(app=app_of(component_view.named(context, caller, tag, ANY, "app"), links, caller))


@router.delete("/apps/{appTag:path}")
def delete_app(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Delete one version of an app; jobs that were started with it go on."""
    row = component_view.owned(context, caller, tag, ANY, "app")
    context.writer.run(lambda connection: components.remove(connection, row.id))
    return GenericResponse(request_id=request_id, message=f"{row.name}@{row.version} is deleted")
