"""/jobs/{id}/results and /jobs/{id}/tasks: what a job made, and how its tasks fare."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
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
from api.task_view import attempts_of, task_of
from gridloom.errors import BadState, NotFound
from gridloom.ids import parse_task_id
from gridloom.states import JOB_FINAL, JobState, Stage, TaskState
from storage.repositories import jobs, outputs, task_pages, workers

router = APIRouter(route_class=JsonRoute)

_MOST_RESULTS = 10_000
_MOST_CHUNK = 2**31 - 1


class _Wanted:
    """Which tasks a client asks for."""

    def __init__(
        self,
        state: Annotated[TaskState | None, Query(description="Only tasks in this state")] = None,
        task_id: Annotated[
            str, Query(alias="taskId", max_length=64, description="Only the task of this id or chunk number")
        ] = "",
    ) -> None:
        self._state, self._task = state, task_id.strip()

    def of(self, job_id: str) -> task_pages.Wanted | None:
        """Return what to look for among a job's app tasks, None when nothing can be found."""
        if not self._task:
            return task_pages.Wanted(state=self._state)
        if self._task.isascii() and self._task.isdigit():
            return task_pages.Wanted(state=self._state, chunk=min(int(self._task), _MOST_CHUNK))
        place = _place(job_id, self._task)
        return (
            task_pages.Wanted(state=self._state, chunk=place[1]) if place and place[0] is Stage.APP else None
        )


WantedDep = Annotated[_Wanted, Depends(_Wanted)]


@router.get("/jobs/{job_id}/results", tags=["Jobs"])
def list_results(
    job_id: str,
    context: ContextDep,
    caller: CallerDep,
    links: LinksDep,
    limit: Annotated[int, Query(alias="pagination.limit", ge=0)] = 0,
    offset: Annotated[int, Query(alias="pagination.offset", ge=0, lt=2**31)] = 0,
) -> ResultsResponse:
    """List a finished job's output files with links to fetch them; more than 10,000 come in pages.

    Also those of a job that failed only in its delivery, for as long as they are kept.
    """
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, job_id)
        _check_stands(job)
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


def _check_stands(job: Row[Any]) -> None:
    undelivered = job.state in JOB_FINAL and job.output_epoch is not None
    if job.state != JobState.COMPLETE and not undelivered:
        reason = f": {job.error_message}" if job.error_message else ""
        raise BadState(f"job has not yet been completed, it is {job.state}{reason}")
    check_kept(job)


def _result(job: Row[Any], row: Row[Any], links: LinkMaker) -> Result:
    link = links.output(job, row.path)
    return Result(name=row.path, link=link, url=link, size=row.size)


@router.get("/jobs/{job_id}/tasks", tags=["Tasks"])
def list_tasks(
    job_id: str, context: ContextDep, caller: CallerDep, page: PageDep, wanted: WantedDep
) -> TaskListResponse:
    """List a job's tasks, by chunk number if nothing else is asked for."""
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, job_id)
        asked = wanted.of(job.id)
        rows, total = [], 0
        if asked is not None:
            rows = task_pages.page(connection, job.id, page, asked)
            total = job.chunks if asked == task_pages.ALL else task_pages.count(connection, job.id, asked)
        machines = workers.by_ids(connection, {row.worker_id for row in rows if row.worker_id})
    return TaskListResponse(
        pagination=PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows)),
        data=[task_of(row, job.template_id, machines.get(row.worker_id)) for row in rows],
    )


@router.get("/jobs/{job_id}/tasks/{task_id}", tags=["Tasks"])
def get_task(job_id: str, task_id: str, context: ContextDep, caller: CallerDep) -> TaskResponse:
    """Read a task with its attempts, also the one that partitions and the one that assembles."""
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, job_id)
        place = _place(job.id, task_id)
        row = task_pages.find(connection, job.id, *place) if place else None
        if row is None:
            raise NotFound(f"job {job.id} has no task {task_id[:64]!a}")
        earlier = task_pages.earlier(connection, job.id, Stage(row.stage), row.chunk)
        machines = workers.by_ids(connection, {it.worker_id for it in (*earlier, row) if it.worker_id})
    task = task_of(row, job.template_id, machines.get(row.worker_id))
    return TaskResponse(task=task.model_copy(update={"attempts": attempts_of(row, earlier, machines)}))


def _place(job_id: str, task_id: str) -> tuple[Stage, int] | None:
    try:
        return parse_task_id(job_id, task_id)
    except ValueError:
        return None


@router.post("/jobs/runningTasks", tags=["Jobs"])
def count_running_tasks(
    body: RunningTasksRequest, context: ContextDep, caller: CallerDep
) -> RunningTasksResponse:
    """Count the running tasks of the caller's jobs among those asked for."""
    with context.database.read() as connection:
        mine = jobs.owned(connection, caller.account_id, [*body.jobs_ids, *body.job_ids])
        running = task_pages.running(connection, mine)
    return RunningTasksResponse(jobs_running_tasks=dict.fromkeys(mine, 0) | running)
