"""/v1/dev/apps: upload, look up, activate. Publish, import and delete are not built yet."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import component_view
from api.component_view import app_of, archive_link, status_of
from api.deps import CallerDep, ContextDep, PageDep, RequestIdDep
from api.json_route import JsonRoute
from api.links import LinksDep
from api.push import decode_archive, push_component
from api.shapes.base import GenericResponse, PaginatedResponse
from api.shapes.components import App, AppListResponse, AppResponse, LinkResponse, UploadAppRequest
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
        apps=[app_of(row, links) for row in rows],
        pagination=PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows)),
    )


@router.post("/apps")
def upload_app(context: ContextDep, caller: CallerDep, links: LinksDep, body: UploadAppRequest) -> App:
    """Upload an app, and the template in its archive; an archive of an engine is stored as that."""
    row = push_component(context, caller.account_id, decode_archive(body.data), ANY)
    return app_of(row, links)


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
    row = component_view.named(context, caller, tag, ANY, "app")
    component_view.activate(context, caller, row, active=True)
    return GenericResponse(request_id=request_id, message="active")


@router.post("/apps/{appTag:path}/deactivate")
def deactivate_app(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, tag: TagPath
) -> GenericResponse:
    """Stop jobs from using the app."""
    row = component_view.named(context, caller, tag, ANY, "app")
    component_view.activate(context, caller, row, active=False)
    return GenericResponse(request_id=request_id, message="inactive")


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
    return AppResponse(app=app_of(component_view.named(context, caller, tag, ANY, "app"), links))
