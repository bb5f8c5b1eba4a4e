"""How a job's row looks to its owner."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from api.shapes.base import DataSource
from api.shapes.jobs import Job, JobPhases, JobResponse, Priority, Progress, TemplateInfo
from gridloom import money
from gridloom.phases import PHASES, Sums
from gridloom.states import JobState
from gridloom.warmth import Tier

PRIORITIES = {Priority.LOW: -1, Priority.UNDEFINED: 0, Priority.NORMAL: 0, Priority.HIGH: 1}
_NAMES = {-1: Priority.LOW, 0: Priority.UNDEFINED, 1: Priority.HIGH}


def job_response(row: Row[Any], upload_url: str | None = None) -> JobResponse:
    """Return a job as it is answered; `upload_url` is where the file of a draft's `file` source may be put."""
    job = job_of(row, upload_url)
    return JobResponse(job=job, template_info=job.template_info)


def job_of(row: Row[Any], upload_url: str | None = None) -> Job:
    """Return a job's published members."""
    info = row.template_info or {}
    return Job(
        id=row.id,
        template_id=row.template_id,
        name=row.name,
        config=config_of(row.config),
        priority=_NAMES.get(row.priority, Priority.UNDEFINED),
        start_at=row.start_at,
        submitted_at=row.submitted_at,
        started_at=_started_at(row),
        ended_at=row.ended_at,
        completed_at=row.ended_at,
        regions=row.regions,
        state=row.state,
        data_source=_shown(row.data_source, upload_url),
        params=row.params,
        data_destination=_shown(row.data_destination),
        duration=_duration_s(row),
        deleted_at=row.deleted_at,
        created_at=row.created_at,
        payment_amount=money.to_number(row.price),
        num_units_estimation=row.total or row.chunks,
        num_chunks=row.chunks,
        error_message=row.error_message,
        description=row.description,
        state_timestamps=row.state_times,
        app_id=info.get("app_id") or row.app_tag,
        template_info=TemplateInfo(**info),
        progress=Progress(
            completed=row.completed,
            total=row.total,
            rate_per_second=_rate(row),
            reused=(row.spent or {}).get("reused", 0),
        ),
        phases=_phases(row),
        warning=row.warning or row.trouble,
    )


def config_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job's settings under their published names, and `reuse`, which is not published, where it is wanted; 0
    means no limit."""
    return {
        "taskTimeout": _whole(stored.get("task_timeout_s") or 0),
        "jobTimeout": _whole(stored.get("job_timeout_s") or 0),
        "isTestJob": bool(stored.get("is_test_job")),
        "maxTaskRetries": stored.get("max_task_retries") or 0,
        **({"reuse": True} if stored.get("reuse") else {}),
    }


def _shown(stored: Mapping[str, Any] | None, upload_url: str | None = None) -> DataSource | None:
    """Return a source or destination; the secrets that came in its params lie apart."""
    if not stored:
        return None
    params = dict(stored["params"])
    if upload_url and stored["dataSourceDescriptor"] == "file":
        params["tempUrl"] = upload_url
    return DataSource(data_source_descriptor=stored["dataSourceDescriptor"], params=params)


def _phases(row: Row[Any]) -> JobPhases | None:
    """Return means and shares over the tasks that ran, None before there are any."""
    sums = Sums.model_validate(row.spent) if row.spent else None
    if sums is None or not sums.tasks:
        return None
    claims = sum(sums.claims.values())
    return JobPhases(
        tasks=sums.tasks,
        mean_seconds={name: round(sums.seconds.get(name, 0.0) / sums.tasks, 6) for name in PHASES},
        claims={tier: round(sums.claims.get(tier, 0) / claims, 4) for tier in Tier} if claims else {},
    )


def _started_at(row: Row[Any]) -> datetime | None:
    """Return when a job started, None while a planned one waits and when it ended before."""
    planned: datetime | None = row.started_at
    # A job without a plan has started, even if the database's clock is a little ahead.
    ahead = row.start_at and planned and planned > (row.ended_at or datetime.now(UTC))
    return None if ahead else planned


def _duration_s(row: Row[Any]) -> float:
    started_at = _started_at(row)
    if started_at is None:
        return 0.0
    ran: timedelta = (row.ended_at or datetime.now(UTC)) - started_at
    return max(0.0, ran.total_seconds())


def _rate(row: Row[Any]) -> float | None:
    """Return tasks completed per second since the first could run, None before there are any."""
    times = row.state_times
    since = times.get(JobState.PARTITIONING) or times.get(JobState.STARTED)
    if not since or not row.completed:
        return None
    until = times.get(JobState.TASKS_COMPLETED)
    end = datetime.fromisoformat(until) if until else row.ended_at or datetime.now(UTC)
    seconds = (end - datetime.fromisoformat(since)).total_seconds()
    return round(float(row.completed) / seconds, 3) if seconds > 0 else None


def _whole(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else seconds
