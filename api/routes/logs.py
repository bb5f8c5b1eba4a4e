"""/logs: what partitioner, tasks and assembler printed."""

from fastapi import APIRouter

from api.deps import CallerDep, ContextDep
from api.json_route import JsonRoute
from api.log_reader import Cursor, LogReader, StoredLine, Wanted
from api.shapes.logs import LogEntry, LogLevel, LogsRequest, LogsResponse, TaskLogs
from gridloom.errors import NotFound
from gridloom.ids import parse_task_id, task_id
from gridloom.states import Stage
from storage.repositories import jobs

router = APIRouter(route_class=JsonRoute, tags=["Logs"])

_BAD_NEWS = ("error", "failed", "killed", "timed out", "refused", "lost")


@router.post("/logs")
def read_logs(body: LogsRequest, context: ContextDep, caller: CallerDep) -> LogsResponse:
    """Read a job's log lines, the oldest first."""
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, body.job_id)
    answer = LogsResponse()

    def take(line: StoredLine) -> None:
        if line.stage is Stage.APP:
            of_task = answer.taskrunner.setdefault(task_id(job.id, line.stage, line.chunk), TaskLogs())
            of_task.logs.append(_entry(line))
        else:
            of_stage = answer.partitioner if line.stage is Stage.PARTITION else answer.assembler
            of_stage.append(_entry(line))

    reader = LogReader(database=context.database, store=context.store)
    end = reader.read(job.id, _wanted(job.id, body), Cursor.parse(body.after_id), body.limit, take)
    return answer.model_copy(update={"next_id": str(end)})


def _wanted(job_id: str, body: LogsRequest) -> Wanted:
    stages = [body.stage] if body.stage else list(Stage)
    if not body.tasks_ids:
        return dict.fromkeys(stages)
    chunks: dict[Stage, set[int]] = {}
    for text in body.tasks_ids:
        try:
            stage, chunk = parse_task_id(job_id, text)
        except ValueError:
            raise NotFound(f"job {job_id} has no task {text[:64]!a}") from None
        chunks.setdefault(stage, set()).add(chunk)
    return {stage: frozenset(found) for stage, found in chunks.items() if stage in stages}


def _entry(line: StoredLine) -> LogEntry:
    ours = line.stream == "fabric"
    return LogEntry(
        log=line.text,
        timestamp=line.at,
        level=_level(line.text) if ours else LogLevel.UNKNOWN,
        container="main" if ours else "",
        stream=line.stream,
    )


def _level(text: str) -> LogLevel:
    return LogLevel.ERROR if any(word in text.lower() for word in _BAD_NEWS) else LogLevel.INFO
