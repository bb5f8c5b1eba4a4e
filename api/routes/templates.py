"""/v1/dev/templates: store, look up, publish, copy, delete."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.component_view import template_of
from api.context import Context
from api.deps import CallerDep, ContextDep, PageDep, RequestIdDep
from api.imports import import_template
from api.json_route import JsonRoute
from api.push import check_template, keep_template
from api.shapes.base import GenericResponse, PaginatedResponse
from api.shapes.components import ImportRequest
from api.shapes.templates import Template, TemplateBody, TemplateListResponse
from api.tokens import Caller
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
    body: TemplateBody,
) -> GenericResponse:
    """Store a template, or replace the caller's one of the same id."""
    template = template_files.template_of(body.model_dump(exclude_none=True, by_alias=True))
    check_template(template)
    context.writer.run(lambda connection: keep_template(connection, context, caller.account_id, template))
    return GenericResponse(request_id=request_id, message=f"template {template.id} is stored")


@router.get("/templates/{id}")
def get_template(context: ContextDep, caller: CallerDep, id: str) -> Template:  # noqa: A002 - the published name
    """Read one template."""
    with context.database.read() as connection:
        row = templates.find(connection, caller.account_id, id)
    if row is None:
        raise NotFound(f"there is no template {id}")
    return template_of(row)


@router.post("/templates/{id}/publish")
def publish_template(
    context: ContextDep,
    caller: CallerDep,
    request_id: RequestIdDep,
    id: str,  # noqa: A002 - the published name
) -> GenericResponse:
    """Let everybody see, use and copy the template; its credentials and secrets stay the owner's."""
    _publish(context, caller, id, public=True)
    return GenericResponse(request_id=request_id, message="public")


@router.post("/templates/{id}/unpublish")
def unpublish_template(
    context: ContextDep,
    caller: CallerDep,
    request_id: RequestIdDep,
    id: str,  # noqa: A002 - the published name
) -> GenericResponse:
    """Keep the template to its owner again; jobs that others made of it stay as they are."""
    _publish(context, caller, id, public=False)
    return GenericResponse(request_id=request_id, message="private")


@router.post("/templates/{id}/import")
def import_public_template(
    context: ContextDep,
    caller: CallerDep,
    id: str,  # noqa: A002 - the published name
    body: ImportRequest | None = None,
) -> Template:
    """Copy a public template into the caller's account; the copy is private."""
    return template_of(import_template(context, caller, id, body or ImportRequest()))


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


def _publish(context: Context, caller: Caller, template_id: str, *, public: bool) -> None:
    owner_id = caller.account_id
    if not context.writer.run(
        lambda connection: templates.set_public(connection, owner_id, template_id, public=public)
    ):
        raise NotFound(f"you have no template {template_id}")
