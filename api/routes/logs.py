"""/logs: what partitioner, tasks and assembler printed."""

from fastapi import APIRouter

from api.deps import CallerDep, ContextDep
from api.json_route import JsonRoute
from api.log_filters import line_filter, places
from api.log_reader import LogReader, StoredLine
from api.shapes.logs import LogEntry, LogsRequest, LogsResponse, TaskLogs
from gridloom.ids import task_id
from gridloom.states import Stage
from storage.columns import from_micros
from storage.repositories import jobs

router = APIRouter(route_class=JsonRoute, tags=["Logs"])

_SEARCH_S = 0.2  #: a search goes on in the next call


@router.post("/logs")
def read_logs(body: LogsRequest, context: ContextDep, caller: CallerDep) -> LogsResponse:
    """Read a job's log lines, as they came or the newest first."""
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, body.job_id)
    reader = LogReader(database=context.database, store=context.store)
    total = reader.total(job.id)
    wanted = line_filter(job.id, body)
    page = reader.page(job.id, wanted, places(body, total), limit=body.limit, within_s=_SEARCH_S)
    answer = LogsResponse(
        # Zero is where a reader of the newest lines has come to the end, and one of the oldest to begin.
        next_id=str(page.place) if page.place or wanted.newest_first else "",
        complete=page.complete,
        total_lines=total,
    )
    for line in page.lines:
        if line.stage is Stage.APP:
            chunk = task_id(job.id, line.stage, line.entry.chunk)
            answer.taskrunner.setdefault(chunk, TaskLogs()).logs.append(_entry(line))
        else:
            of_stage = answer.partitioner if line.stage is Stage.PARTITION else answer.assembler
            of_stage.append(_entry(line))
    return answer


def _entry(line: StoredLine) -> LogEntry:
    it = line.entry
    return LogEntry(
        log=it.text,
        timestamp=from_micros(it.t),
        level=it.level,
        container="main" if it.stream == "fabric" else "",
        stream=it.stream,
    )
