"""Shapes of a customer's jobs, tasks and results."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from api.shapes.base import DataSource, Int64Text, Moment, PaginatedResponse, Shape
from gridloom.warmth import Tier

_MOST_SECONDS = 10 * 365 * 86_400  # a deadline further off can't be told from none
_MOST_RETRIES = 10_000
_LAST_YEAR = 9000  # a start with a deadline behind it must be a time too
_MOST_IDS = 1000


def _blank_is_none(value: Any) -> Any:
    return None if value == "" else value


Seconds = Annotated[
    Annotated[float, Field(ge=0, le=_MOST_SECONDS, allow_inf_nan=False)] | None,
    BeforeValidator(_blank_is_none),
]
"""Seconds as number or text; none, empty and 0 all mean no limit."""


def _before_the_last_year(value: datetime) -> datetime:
    if value.year >= _LAST_YEAR:
        raise ValueError(f"lies behind the year {_LAST_YEAR - 1}")
    return value


Start = Annotated[
    Annotated[Moment, AfterValidator(_before_the_last_year)] | None, BeforeValidator(_blank_is_none)
]
"""When a job may begin; none and empty mean at once."""

Section = Annotated[dict[str, Any], BeforeValidator(lambda value: value if value is not None else {})]


class Priority(StrEnum):
    """How urgent a job is."""

    UNDEFINED = "EXECUTION_PRIORITY_UNDEFINED"
    LOW = "EXECUTION_PRIORITY_LOW"
    NORMAL = "EXECUTION_PRIORITY_NORMAL"
    HIGH = "EXECUTION_PRIORITY_HIGH"


class JobConfig(Shape):
    """Execution settings; members that are not given stay as they are. `reuse` is not in the published shape."""

    task_timeout: Seconds = None
    job_timeout: Seconds = None
    is_test_job: Annotated[bool | None, BeforeValidator(_blank_is_none)] = None
    max_task_retries: Annotated[
        Annotated[int, Field(ge=0, le=_MOST_RETRIES)] | None, BeforeValidator(_blank_is_none)
    ] = None
    reuse: Annotated[bool | None, BeforeValidator(_blank_is_none)] = None


class RunRequest(JobConfig):
    """Settings of a run, flat or below `config`; what stands below `config` wins."""

    config: JobConfig | None = None


class JobParams(Shape):
    """Parameters by component; `data` and `preset` of older clients are only kept."""

    partitioner: Section = Field(default_factory=dict)
    app: Section = Field(default_factory=dict)
    assembler: Section = Field(default_factory=dict)
    data: Any = None
    preset: Any = None


class TemplateInfo(Shape):
    """A template in short."""

    id: str = ""
    owner: str = ""
    description: str = ""
    app: str = ""
    partitioner: str = ""
    assembler: str = ""


class JobRegions(Shape):
    """Where a job may run and may not; kept and shown, since one fabric has no regions."""

    blacklist: list[Annotated[str, Field(max_length=100)]] = Field([], max_length=100)
    whitelist: list[Annotated[str, Field(max_length=100)]] = Field([], max_length=100)


class DataSourceRequest(Shape):
    """Where a job's input comes from and its output goes; a missing member stays as it is."""

    data_source: DataSource | None = None
    data_destination: DataSource | None = None


class CreateJobRequest(DataSourceRequest):
    """A new draft, from a template or from three component tags."""

    name: str = Field("", max_length=200)
    description: str = Field("", max_length=10_000)
    template_id: str = Field("", max_length=200)
    app: str = Field("", max_length=200)
    partitioner: str = Field("", max_length=200)
    assembler: str = Field("", max_length=200)
    template_info: TemplateInfo | None = None
    params: JobParams | None = None
    config: JobConfig | None = None
    priority: Priority = Priority.UNDEFINED
    start_at: Start = None
    regions: JobRegions | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, members: Any) -> Any:
        """Take null for a member that is not given, as protobuf's JSON does."""
        given = isinstance(members, dict)
        return {name: it for name, it in members.items() if it is not None} if given else members


class Empty(Shape):
    """Nothing."""


class NameRequest(Shape):
    """A job's new name; as JSON it may be the bare text."""

    name: str = Field(max_length=200)

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given


class Progress(Shape):
    """How many of a job's tasks are done, of those how many by an earlier result; `total` is known once the
    partitioner has ended."""

    completed: int
    total: int | None = None
    rate_per_second: float | None = None
    reused: int = 0


class JobPhases(Shape):
    """Where the time of a job's tasks that ran went: mean seconds by phase, and which share of them claimed a slot
    that was warm, generic or cold."""

    tasks: int
    mean_seconds: dict[str, float]
    claims: dict[Tier, float]


class Job(Shape):
    """A job; `progress`, `phases` and `warning` are not in the published shape."""

    id: str
    template_id: str
    name: str
    config: dict[str, Any]
    priority: Priority
    start_at: datetime | None = None
    submitted_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    completed_at: datetime | None
    regions: JobRegions | None = None
    state: str
    data_source: DataSource | None
    params: dict[str, Any]
    data_destination: DataSource | None
    duration: float
    deleted_at: datetime | None
    created_at: datetime
    payment_amount: float = 0
    num_units_estimation: Int64Text = 0
    num_chunks: int
    error_message: str
    description: str
    state_timestamps: dict[str, datetime]
    app_id: str
    template_info: TemplateInfo
    progress: Progress
    phases: JobPhases | None
    warning: str = ""


class JobResponse(Shape):
    """A job; its template's short form stands beside it too."""

    job: Job
    template_info: TemplateInfo


class JobListResponse(Shape):
    """One page of jobs."""

    pagination: PaginatedResponse
    data: list[Job]


class OldListResponse(Shape):
    """The empty list that outdated calls answer."""

    data: list[dict[str, Any]] = Field(default_factory=list)


class TemplatesResponse(Shape):
    """One page of templates."""

    pagination: PaginatedResponse
    data: list[TemplateInfo]


class Result(Shape):
    """One file of a job's output; `url` repeats `link` for older clients."""

    name: str
    link: str
    url: str
    size: Int64Text


class ResultsResponse(Shape):
    """A job's output; `archive` (not in the published shape) leads to all of it in one zip file."""

    results: list[Result]
    archive: str | None = None
    pagination: PaginatedResponse


class RunningTasksRequest(Shape):
    """Whose running tasks to count."""

    jobs_ids: list[str] = Field([], max_length=_MOST_IDS)
    job_ids: list[str] = Field([], max_length=_MOST_IDS)


class RunningTasksResponse(Shape):
    """Running tasks by job id."""

    jobs_running_tasks: dict[str, int]


class Phase(Shape):
    """One phase of a task, in seconds."""

    name: str
    seconds: float


class Attempt(Shape):
    """One try at a task; all but the last ended badly. Its price is the task's, which pays for the last alone."""

    number: int
    assigned_to: str | None
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    exit_code: int | None
    error_message: str
    device_info: dict[str, Any]


class Reuse(Shape):
    """Whether a task took an earlier result instead of running, and why (not); `task_id` is the one that it is from,
    and `saved_seconds` how long that one ran."""

    hit: bool
    reason: str
    job_id: str | None = None
    task_id: str | None = None
    saved_seconds: float | None = None


class Task(Shape):
    """One task; `exit_code`, `claim`, `phases`, `reuse` and `attempts` (null in lists) are not in the published
    shape."""

    id: str
    job_id: str
    chunk_number: int
    state: str
    state_timestamps: dict[str, datetime]
    assigned_to: str | None
    scheduled_at: datetime | None
    assigned_at: datetime | None
    received_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    price: float = 0
    template_id: str
    retries: int
    error_message: str
    exit_code: int | None
    claim: Tier | None
    phases: list[Phase]
    reuse: Reuse | None = None
    attempts: list[Attempt] | None = None
    container_stats: dict[str, Any]
    network_stats: dict[str, Any]
    device_info: dict[str, Any]


class TaskResponse(Shape):
    """One task."""

    task: Task


class TaskListResponse(Shape):
    """One page of a job's tasks."""

    pagination: PaginatedResponse
    data: list[Task]
