"""/jobs/{id}/results and /jobs/{id}/tasks: what a job made, and how its tasks fare."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Row

from api.deps import CallerDep, ContextDep, PageDep
from api.json_route import JsonRoute
from api.links import LinkMaker, LinksDep
from api.routes.downloads import check_kept
from api.shapes.base import PaginatedResponse
from api.shapes.jobs import (
    Result,
    ResultsResponse,
    RunningTasksRequest,
    RunningTasksResponse,
    TaskListResponse,
    TaskResponse,
)
from api.task_view import task_of
from gridloom.errors import BadInput, BadState, NotFound
from gridloom.ids import parse_task_id
from gridloom.states import JobState
from storage.repositories import jobs, outputs, task_pages, workers

router = APIRouter(route_class=JsonRoute)

_MOST_RESULTS = 10_000


@router.get("/jobs/{job_id}/results", tags=["Jobs"])
def list_results(
    job_id: str,
    context: ContextDep,
    caller: CallerDep,
    links: LinksDep,
    limit: Annotated[int, Query(alias="pagination.limit", ge=0)] = 0,
    offset: Annotated[int, Query(alias="pagination.offset", ge=0, lt=2**31)] = 0,
) -> ResultsResponse:
    """List a finished job's output files with links to fetch them; more than 10,000 come in pages."""
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, job_id)
        _check_complete(job)
        if job.output_epoch is None:
            return ResultsResponse(results=[], pagination=PaginatedResponse.of(total=0, offset=0, rows=0))
        total = outputs.count(connection, job.id, job.output_epoch)
        rows = outputs.page(
            connection,
            job.id,
            job.output_epoch,
            limit=min(limit or _MOST_RESULTS, _MOST_RESULTS),
            offset=offset,
        )
    return ResultsResponse(
        results=[_result(job, row, links) for row in rows],
        archive=links.archive(job) if total else None,
        pagination=PaginatedResponse.of(total=total, offset=offset, rows=len(rows)),
    )


def _check_complete(job: Row[Any]) -> None:
    if job.state != JobState.COMPLETE:
        reason = f": {job.error_message}" if job.error_message else ""
        raise BadState(f"job has not yet been completed, it is {job.state}{reason}")
    check_kept(job)


def _result(job: Row[Any], row: Row[Any], links: LinkMaker) -> Result:
    link = links.output(job, row.path)
    return Result(name=row.path, link=link, url=link, size=row.size)


@router.get("/jobs/{job_id}/tasks", tags=["Tasks"])
def list_tasks(job_id: str, context: ContextDep, caller: CallerDep, page: PageDep) -> TaskListResponse:
    """List a job's tasks, by chunk number if nothing else is asked for."""
    order = page.order_by or "chunk_number"
    if order not in task_pages.ORDERS:
        raise BadInput(f"can't order by {order}; use {', '.join(task_pages.ORDERS)}", field="orderBy")
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, job_id)
        rows = task_pages.page(
            connection,
            job.id,
            order=order,
            descending=page.descending and bool(page.order_by),
            limit=page.limit,
            offset=page.offset,
        )
        machines = workers.by_ids(connection, {row.worker_id for row in rows if row.worker_id})
    return TaskListResponse(
        pagination=PaginatedResponse.of(total=job.chunks, offset=page.offset, rows=len(rows)),
        data=[task_of(row, job.template_id, machines.get(row.worker_id)) for row in rows],
    )


@router.get("/jobs/{job_id}/tasks/{task_id}", tags=["Tasks"])
def get_task(job_id: str, task_id: str, context: ContextDep, caller: CallerDep) -> TaskResponse:
    """Read a task, also the one that partitions and the one that assembles."""
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, job_id)
        try:
            stage, chunk = parse_task_id(job.id, task_id)
        except ValueError:
            row = None
        else:
            row = task_pages.find(connection, job.id, stage, chunk)
        machines = workers.by_ids(connection, [row.worker_id]) if row and row.worker_id else {}
    if row is None:
        raise NotFound(f"job {job.id} has no task {task_id[:64]!a}")
    return TaskResponse(task=task_of(row, job.template_id, machines.get(row.worker_id)))


@router.post("/jobs/runningTasks", tags=["Jobs"])
def count_running_tasks(
    body: RunningTasksRequest, context: ContextDep, caller: CallerDep
) -> RunningTasksResponse:
    """Count the running tasks of the caller's jobs among those asked for."""
    with context.database.read() as connection:
        mine = jobs.owned(connection, caller.account_id, [*body.jobs_ids, *body.job_ids])
        running = task_pages.running(connection, mine)
    return RunningTasksResponse(jobs_running_tasks=dict.fromkeys(mine, 0) | running)
