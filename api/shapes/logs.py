"""Shapes of logs."""

from datetime import datetime
from enum import StrEnum

from pydantic import AliasChoices, Field

from api.shapes.base import Shape
from gridloom.states import Stage

MOST_LINES = 10_000


class LogLevel(StrEnum):
    """How serious a line is; what a user's program prints has no known level."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"
    DEBUG = "DEBUG"
    UNKNOWN = "UNKNOWN"


class LogsRequest(Shape):
    """Whose lines to read. `stage`, `after_id` and `limit` are not in the published shape: with them a client reads
    one stage only, goes on from an earlier answer's `next_id`, and asks for fewer lines."""

    job_id: str = Field(validation_alias=AliasChoices("jobId", "job_id"))
    tasks_ids: list[str] = Field(
        [], max_length=1000, validation_alias=AliasChoices("tasksIds", "taskIds", "tasks_ids", "task_ids")
    )
    stage: Stage | None = None
    after_id: str = Field(
        "", coerce_numbers_to_str=True, validation_alias=AliasChoices("afterId", "after_id")
    )
    limit: int = Field(MOST_LINES, ge=1, le=MOST_LINES)


class LogEntry(Shape):
    """One line; `stream` is not in the published shape."""

    log: str
    timestamp: datetime
    level: LogLevel
    container: str = ""
    stream: str = ""


class TaskLogs(Shape):
    """The lines of one task."""

    logs: list[LogEntry] = Field(default_factory=list)


class LogsResponse(Shape):
    """Lines by stage, of the app stage by task id; `next_id` goes into the next request's `after_id`."""

    partitioner: list[LogEntry] = Field(default_factory=list)
    assembler: list[LogEntry] = Field(default_factory=list)
    taskrunner: dict[str, TaskLogs] = Field(default_factory=dict)
    next_id: str = ""
