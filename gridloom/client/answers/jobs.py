"""Answers of the customer API: jobs, their tasks, results, logs and events."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field

from gridloom.client.answers.base import Answer, Json
from gridloom.states import JOB_FINAL, JobState, Stage


class Progress(Answer):
    """How many of a job's tasks are done; `total` is known once the partitioner has ended."""

    completed: int = 0
    total: int | None = None
    rate_per_second: float | None = None


class PhaseMeans(Answer):
    """Where the time of completed tasks went: mean seconds by phase, and the share of slots claimed by tier."""

    tasks: int = 0
    mean_seconds: dict[str, float] = Field({})
    claims: dict[str, float] = Field({})


class DataEnd(Answer):
    """A data source or destination."""

    data_source_descriptor: str = ""
    params: dict[str, Any] = Field({})


class Job(Answer):
    """A job; states are those of `gridloom.states.JobState`, or newer ones."""

    id: str = ""
    name: str = ""
    state: str = JobState.NEW
    template_id: str = ""
    app_id: str = ""
    description: str = ""
    error_message: str = ""
    warning: str = ""
    num_chunks: int = 0
    progress: Progress = Progress()
    phases: PhaseMeans | None = None
    params: dict[str, Any] = Field({})
    config: dict[str, Any] = Field({})
    data_source: DataEnd | None = None
    data_destination: DataEnd | None = None
    state_timestamps: dict[str, datetime] = Field({})
    created_at: datetime | None = None
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float = Field(0.0, validation_alias="duration")
    payment_amount: Decimal = Decimal(0)

    @property
    def is_final(self) -> bool:
        """Tell whether the job has ended."""
        return self.state in JOB_FINAL

    @property
    def failure(self) -> str:
        """Why an ended job is not complete; empty when it is, or has not ended."""
        if not self.is_final or self.state == JobState.COMPLETE:
            return ""
        how = "was aborted" if self.state == JobState.ABORTED else "failed"
        return f"job {self.id} {how}: {self.error_message or 'its logs tell more'}"


class PhaseTime(Answer):
    """One phase of a task, in seconds."""

    name: str = ""
    seconds: float = 0.0


class Task(Answer):
    """One task; states are those of `gridloom.states.TaskState`, or newer ones."""

    id: str = ""
    job_id: str = ""
    chunk_number: int = 0
    state: str = ""
    state_timestamps: dict[str, datetime] = Field({})
    assigned_to: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    price: Decimal = Decimal(0)
    template_id: str = ""
    retries: int = 0
    error_message: str = ""
    exit_code: int | None = None
    claim: str = ""
    phases: tuple[PhaseTime, ...] = ()
    container_stats: dict[str, Any] = Field({})
    network_stats: dict[str, Any] = Field({})
    device_info: dict[str, Any] = Field({})


class Result(Answer):
    """One output file and the signed link to it; the size is in bytes."""

    name: str = ""
    link: str = Field("", validation_alias=AliasChoices("url", "link"), repr=False)
    size: int = 0


class TemplateInfo(Answer):
    """A template in short."""

    id: str = ""
    owner: str = ""
    description: str = ""
    app: str = ""
    partitioner: str = ""
    assembler: str = ""


class DataSourceFile(Answer):
    """One file of a data source; the size is in bytes."""

    id: str = ""
    name: str = ""
    path: str = ""
    size: int = 0


class DataSourceFolder(Answer):
    """One folder of a data source."""

    name: str = ""
    path: str = ""
    directories: tuple["DataSourceFolder", ...] = ()
    files: tuple[DataSourceFile, ...] = ()


class DataSourceTest(Answer):
    """What a data source holds; the size is in bytes."""

    filename: str = ""
    path: str = ""
    size: int = 0
    properties: dict[str, Any] = Field({})
    temp_url: str = Field("", repr=False)
    files: DataSourceFolder | None = None


class Stats(Answer):
    """Counts over all of the caller's jobs."""

    total_jobs: int = 0
    running_jobs: int = 0
    completed_jobs: int = 0
    failed_jobs: int = 0
    total_tasks: int = 0
    total_spent: Decimal = Decimal(0)
    jobs_by_state: dict[str, int] = Field({})


class Event(Answer):
    """Something that happened, e.g. `job.updated`; `id` is where an interrupted listener goes on."""

    id: str = ""
    event: str = ""
    data: dict[str, Any] = Field({})


class LogLine(Answer):
    """One line that a task printed; the time is as RFC 3339 has it."""

    stage: Stage
    task_id: str = ""
    task: int = 0
    timestamp: str = ""
    level: str = ""
    log: str = ""
    stream: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some lines in the order in which they were printed; `next_id` is the `after_id` of the next page."""

    lines: tuple[LogLine, ...]
    next_id: str
    raw: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One file that came back: in memory, or at `path` when a folder was named."""

    name: str
    path: Path | None = None
    content: bytes | None = field(default=None, repr=False)

    @property
    def data(self) -> bytes:
        """Its bytes."""
        if self.content is not None:
            return self.content
        assert self.path is not None
        return self.path.read_bytes()

    @property
    def text(self) -> str:
        """Its text, read as UTF-8."""
        return self.data.decode()


OnProgress = Callable[[Job], None]
