"""/jobs, /jobs/filter, /jobs/templates: lists of jobs and of what jobs are made from."""

from fastapi import APIRouter

from api.context import Context
from api.deps import CallerDep, ContextDep, Page, PageDep, TurnDep
from api.job_view import job_of
from api.json_route import JsonRoute
from api.shapes.base import PaginatedResponse
from api.shapes.filters import FilterRequest
from api.shapes.jobs import JobListResponse, OldListResponse, TemplateInfo, TemplatesResponse
from api.tokens import Caller
from storage.filters import Filter
from storage.repositories import job_lists, templates
from storage.spans import Span

router = APIRouter(route_class=JsonRoute, tags=["Jobs"])


@router.get("/jobs")
def list_jobs(context: ContextDep, caller: CallerDep, page: PageDep) -> JobListResponse:
    """List the caller's jobs, the newest first."""
    return _listed(context, caller, page, [])


@router.post("/jobs/filter")
def filter_jobs(body: FilterRequest, context: ContextDep, caller: CallerDep, _: TurnDep) -> JobListResponse:
    """List those of the caller's jobs for which every filter holds.

    Fields are those of a job; dots lead into its settings, its parameters and its data source and destination.
    """
    page = Page.of(body.pagination.limit, body.pagination.offset, body.order_by)
    return _listed(context, caller, page, body.wanted())


@router.get("/jobs/templates", tags=["Templates"])
def list_job_templates(
    context: ContextDep, caller: CallerDep, page: PageDep, *, public: bool = False
) -> TemplatesResponse:
    """List the caller's templates, or all public ones."""
    span = Span(limit=page.limit, offset=page.offset, order_by=page.order_by, descending=page.descending)
    with context.database.read() as connection:
        rows, total = templates.listed(connection, caller.account_id, public=public, span=span)
    names = {"id", "description", "app", "partitioner", "assembler"}
    return TemplatesResponse(
        pagination=PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows)),
        data=[TemplateInfo(owner=row.user_name, **row.template.model_dump(include=names)) for row in rows],
    )


@router.get("/jobs/presets", deprecated=True)
@router.get("/jobs/schemas", deprecated=True)
def list_nothing(_: CallerDep) -> OldListResponse:
    """Answer the empty list: templates took the place of presets, an app's schema.json that of schemas."""
    return OldListResponse()


def _listed(context: Context, caller: Caller, page: Page, filters: list[Filter]) -> JobListResponse:
    with context.database.read() as connection:
        found = job_lists.page(connection, caller.account_id, page, filters)
    return JobListResponse(
        pagination=PaginatedResponse.of(total=found.total, offset=page.offset, rows=len(found.rows)),
        data=[job_of(row) for row in found.rows],
    )
