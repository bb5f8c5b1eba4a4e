"""/v1/dev/templates: store, look up, delete. Publish and import are not built yet."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from api.component_view import template_of
from api.deps import CallerDep, ContextDep, PageDep, RequestIdDep
from api.json_route import JsonRoute
from api.push import check_template
from api.shapes.base import GenericResponse, PaginatedResponse
from api.shapes.templates import Template, TemplateListResponse
from gridloom import templates as template_files
from gridloom.errors import NotFound
from storage.repositories import templates

router = APIRouter(route_class=JsonRoute, tags=["Templates"])


@router.get("/templates")
def get_templates(
    context: ContextDep,
    caller: CallerDep,
    page: PageDep,
    public: Annotated[bool, Query(alias="isPublic")] = False,
) -> TemplateListResponse:
    """List the caller's templates, or with `isPublic` every public one."""
    with context.database.read() as connection:
        rows, total = templates.listed(connection, caller.account_id, public=public, span=page)
    return TemplateListResponse(
        templates=[template_of(row) for row in rows],
        pagination=PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows)),
    )


@router.post("/templates")
def upload_template(
    context: ContextDep,
    caller: CallerDep,
    request_id: RequestIdDep,
    body: Annotated[dict[str, Any], Body()],
) -> GenericResponse:
    """Store a template, or replace the caller's one of the same id."""
    template = template_files.template_of(body)
    check_template(template)
    context.writer.run(lambda connection: templates.save(connection, caller.account_id, template))
    return GenericResponse(request_id=request_id, message=f"template {template.id} is stored")


@router.get("/templates/{id}")
def get_template(context: ContextDep, caller: CallerDep, id: str) -> Template:  # noqa: A002 - the published name
    """Read one template."""
    with context.database.read() as connection:
        row = templates.find(connection, caller.account_id, id)
    if row is None:
        raise NotFound(f"there is no template {id}")
    return template_of(row)


@router.delete("/templates/{id}")
def delete_template(
    context: ContextDep,
    caller: CallerDep,
    request_id: RequestIdDep,
    id: str,  # noqa: A002 - the published name
) -> GenericResponse:
    """Delete the caller's template; jobs made from it stay as they are."""
    if not context.writer.run(lambda connection: templates.remove(connection, caller.account_id, id)):
        raise NotFound(f"you have no template {id}")
    return GenericResponse(request_id=request_id, message=f"template {id} is deleted")
