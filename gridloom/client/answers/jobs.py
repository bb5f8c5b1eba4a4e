"""Answers of the customer API: jobs, their tasks, results, logs and events."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gridloom.client.answers.base import (
    Answer,
    Json,
    Member,
    chips,
    flag,
    free,
    many,
    mapping,
    moment,
    number,
    one,
    read_moment,
    text,
    whole,
)
from gridloom.states import JOB_FINAL, JobState, Stage


class Progress(Answer):
    """How many of a job's tasks are done, of those how many by an earlier result; `total` is known once the
    partitioner has ended."""

    completed = whole()
    total = Member(int, None)
    rate_per_second = Member(float, None)
    reused = whole()


class PhaseMeans(Answer):
    """Where the time of completed tasks went: mean seconds by phase, and the share of slots claimed by tier."""

    tasks = whole()
    mean_seconds = mapping(float)
    claims = mapping(float)


class DataEnd(Answer):
    """A data source or destination."""

    data_source_descriptor = text()
    params = free()


class Job(Answer):
    """A job; states are those of `gridloom.states.JobState`, or newer ones."""

    id = text()
    name = text()
    state = text(JobState.NEW)
    template_id = text()
    app_id = text()
    description = text()
    error_message = text()
    warning = text()
    num_chunks = whole()
    progress = Member(Progress, Progress({}))
    phases = one(PhaseMeans)
    params = free()
    config = free()
    data_source = one(DataEnd)
    data_destination = one(DataEnd)
    state_timestamps = mapping(read_moment)
    created_at = moment()
    submitted_at = moment()
    started_at = moment()
    ended_at = moment()
    duration_s = number("duration")
    payment_amount = chips()

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

    name = text()
    seconds = number()


class Reuse(Answer):
    """Whether a task took an earlier result instead of running, and why (not)."""

    hit = flag()
    reason = text()
    job_id = text()
    task_id = text()
    saved_s = number("savedSeconds")


class Task(Answer):
    """One task; states are those of `gridloom.states.TaskState`, or newer ones."""

    id = text()
    job_id = text()
    chunk_number = whole()
    state = text()
    state_timestamps = mapping(read_moment)
    assigned_to = text()
    started_at = moment()
    completed_at = moment()
    price = chips()
    template_id = text()
    retries = whole()
    error_message = text()
    exit_code = Member(int, None)
    claim = text()
    phases = many(PhaseTime)
    reuse = one(Reuse)
    container_stats = free()
    network_stats = free()
    device_info = free()


class Result(Answer):
    """One output file and the signed link to it; the size is in bytes."""

    name = text()
    link = text("", "url", "link")
    size = whole()


class TemplateInfo(Answer):
    """A template in short."""

    id = text()
    owner = text()
    description = text()
    app = text()
    partitioner = text()
    assembler = text()


class DataSourceFile(Answer):
    """One file of a data source; the size is in bytes."""

    id = text()
    name = text()
    path = text()
    size = whole()


class DataSourceFolder(Answer):
    """One folder of a data source."""

    name = text()
    path = text()
    directories = many(lambda it: DataSourceFolder(it))  # noqa: PLW0108 (it does not exist yet)
    files = many(DataSourceFile)


class Permissions(Answer):
    """What a bucket's keys may do; None where it was not tried."""

    list = Member(bool, None)
    read = Member(bool, None)
    write = Member(bool, None)


class DataSourceTest(Answer):
    """What a data source or destination holds, page by page, and what may be done there; sizes are in bytes."""

    filename = text()
    path = text()
    size = whole()
    properties = free()
    temp_url = text()
    files = one(DataSourceFolder)
    reachable = flag(default=True)
    permissions = Member(Permissions, Permissions({}))
    count = whole()
    total_size = whole()
    truncated = flag()
    after = text()
    problems = many(str)


class Stats(Answer):
    """Counts over all of the caller's jobs."""

    total_jobs = whole()
    running_jobs = whole()
    completed_jobs = whole()
    failed_jobs = whole()
    total_tasks = whole()
    total_spent = chips()
    jobs_by_state = mapping(int)


class Event(Answer):
    """Something that happened, e.g. `job.updated`; `id` is where an interrupted listener goes on."""

    id = text()
    event = text()
    data = free()


class LogLine(Answer):
    """One line that a task printed; the time is as RFC 3339 has it."""

    stage = Member(Stage, Stage.APP)
    task_id = text()
    task = whole("task", "chunk")
    attempt = whole()
    timestamp = text()
    level = text()
    log = text()
    stream = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some lines in the order in which they were printed; `next_id` is the `after_id` of the next page."""

    lines: tuple[LogLine, ...]
    next_id: str
    complete: bool  #: false where a search took too long: it goes on from `next_id`
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
