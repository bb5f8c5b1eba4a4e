"""Shapes of logs."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AliasChoices, Field, field_validator

from api.shapes.base import Moment, Shape
from gridloom.logs import LogLevel
from gridloom.states import Stage

MOST_LINES = 10_000
_MOST_TASKS = 1000
_MOST_SEARCH_CHARS = 1000


class Order(StrEnum):
    """Which lines come first: the oldest or the newest."""

    ASC = "asc"
    DESC = "desc"


class LogFilter(Shape):
    """Which of a job's lines to read; none of it but the tasks is in the published shape. Empty members mean all.

    `search` is a text that a line contains, in whatever case; the times are `from` (included) and `to` (excluded), UTC
    unless they say otherwise; `container` is `main` for the fabric's own lines and empty for the program's."""

    tasks_ids: list[str] = Field(
        [],
        max_length=_MOST_TASKS,
        validation_alias=AliasChoices("tasksIds", "taskIds", "tasks_ids", "task_ids"),
    )
    stage: Stage | None = None
    search: str = Field("", max_length=_MOST_SEARCH_CHARS)
    levels: list[LogLevel] = Field([], validation_alias=AliasChoices("levels", "level"))
    since: Moment | None = Field(None, validation_alias="from", serialization_alias="from")
    until: Moment | None = Field(None, validation_alias="to", serialization_alias="to")
    order: Order = Order.ASC
    container: str | None = None
    after_id: str = Field(
        "", coerce_numbers_to_str=True, validation_alias=AliasChoices("afterId", "after_id")
    )

    @field_validator("levels", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        many = [value] if isinstance(value, str) else value
        if not isinstance(many, list) or not all(isinstance(it, str) for it in many):
            return many
        return [level.strip() for text in many for level in text.upper().split(",") if level.strip()]


class LogsRequest(LogFilter):
    """Whose lines to read, which of them and how many; `after_id` is an earlier answer's `next_id`."""

    job_id: str = Field(validation_alias=AliasChoices("jobId", "job_id"))
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
    """Lines by stage, of the app stage by task id; `next_id` goes into the next request's `after_id`.

    `complete` is false where a search took too long: what it found so far is here, and it goes on from `next_id`.
    `total_lines` counts the job's lines, whatever was asked for."""

    partitioner: list[LogEntry] = Field(default_factory=list)
    assembler: list[LogEntry] = Field(default_factory=list)
    taskrunner: dict[str, TaskLogs] = Field(default_factory=dict)
    next_id: str = ""
    complete: bool = True
    total_lines: int = 0
