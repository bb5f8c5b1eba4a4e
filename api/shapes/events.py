"""Shapes of the stream of events."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from api.shapes.base import Shape
from api.shapes.jobs import Job


class EventName(StrEnum):
    """What may happen."""

    JOB_UPDATED = "job.updated"
    JOB_DELETED = "job.deleted"
    TASK_UPDATED = "task.updated"
    PING = "ping"


class TaskChange(Shape):
    """A task that came into another state: members of a task, and which attempt of which stage it was."""

    id: str
    job_id: str
    chunk_number: int
    state: str
    state_timestamps: dict[str, datetime]
    retries: int
    stage: str
    attempt: int


class Ping(Shape):
    """The server's time; `resync` tells that events may have been lost, and how the jobs are now was sent instead."""

    at: datetime
    resync: bool = False


class Event(Shape):
    """Something that happened; `data` is a job, a task's change or a ping, named by its `@type`.

    With `id` a later stream goes on behind this event.
    """

    event: EventName
    id: str = ""
    data: dict[str, Any]


class EventStreamItem(Shape):
    """One item of the stream: an event, or why the stream ends."""

    result: Event | None = None
    error: dict[str, Any] | None = None


DATA_TYPES: dict[type[Shape], str] = {
    shape: f"type.googleapis.com/customer.{name}"
    for shape, name in ((Job, "Job"), (TaskChange, "Task"), (Ping, "Ping"))
}
"""What `@type` calls the data."""
