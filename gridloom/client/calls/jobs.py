"""Jobs: create, change, run, follow and collect them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gridloom.client.answers.base import Done, Page
from gridloom.client.answers.jobs import (
    DataSourceTest,
    Job,
    OnProgress,
    Output,
    Result,
    Stats,
    Task,
    TemplateInfo,
)
from gridloom.client.calls.files import (
    Blocks,
    BytesMoved,
    fetch_bytes,
    fetch_file,
    ignore_bytes,
    send_blocks,
    send_file,
)
from gridloom.client.calls.paths import call, change, fetch, fetch_page, given, once, paging, path_of, unwrap
from gridloom.client.steps import Json, Sleep, Talk
from gridloom.errors import ClientError
from gridloom.states import JobState

Part = Literal["datasource", "params", "jobname", "configs"]

_JOBS = "/v1/customer/jobs"
_PAGE = 1000
_FIRST_PAUSE_S, _MOST_PAUSE_S, _SLOWER = 0.05, 1.0, 1.3
_FILE_TYPE = "type.googleapis.com/bytenite.data_source.LocalFileDataSource"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One condition on the rows of a list, e.g. `Filter(field="state", condition="EQ", value="JOB_STATE_NEW")`."""

    field: str
    value: Any
    condition: Literal["EQ", "NEQ", "GT", "GTE", "LT", "LTE", "IN", "NOT_IN", "LIKE"] = "EQ"

    def body(self) -> Json:
        """Return what is sent."""
        return {"field": self.field, "condition": f"FILTER_CONDITION_{self.condition}", "value": self.value}


def filtered(filters: Sequence[Filter], limit: int, offset: int, order_by: str) -> Json:
    """Return the body of a filtered list."""
    body: Json = {"pagination": {"limit": limit, "offset": offset}, "filters": [it.body() for it in filters]}
    return body | given(orderBy=order_by)


def create_job(body: Json) -> Talk[Job]:
    """Create a draft from a template or from three component tags; `body` is the request as published."""
    return unwrap(Job, (yield from once(_JOBS, body)), "job")


def job(job_id: str) -> Talk[Job]:
    """Return a job."""
    return (yield from fetch(Job, path_of(_JOBS, job_id), member="job"))


def jobs(*, limit: int = 100, offset: int = 0, order_by: str = "") -> Talk[Page[Job]]:
    """Return one page of the caller's jobs, the newest first unless ordered otherwise."""
    return (yield from fetch_page(Job, _JOBS, paging(limit, offset, order_by)))


def filter_jobs(*filters: Filter, limit: int = 100, offset: int = 0, order_by: str = "") -> Talk[Page[Job]]:
    """Return one page of the jobs that meet every condition."""
    body = filtered(filters, limit, offset, order_by)
    return Page.of(Job, (yield from call("POST", f"{_JOBS}/filter", body=body, repeatable=True)), "data")


def job_templates(*, limit: int = 100, offset: int = 0, order_by: str = "") -> Talk[Page[TemplateInfo]]:
    """Return one page of the templates that the caller can use, in short."""
    return (yield from fetch_page(TemplateInfo, f"{_JOBS}/templates", paging(limit, offset, order_by)))


def change_job(job_id: str, part: Part, body: Json) -> Talk[Job]:
    """Change one part of a draft."""
    answer = yield from call("PATCH", path_of(_JOBS, job_id, part), body=body, repeatable=True)
    return unwrap(Job, answer, "job")


def run_job(job_id: str, config: Json | None = None) -> Talk[Done]:
    """Run a draft, with other settings than its own where `config` has any."""
    return Done((yield from once(path_of(_JOBS, job_id, "run"), {"config": config} if config else {})))


def abort_job(job_id: str) -> Talk[Done]:
    """Stop a job; a draft is deleted."""
    return (yield from change("POST", path_of(_JOBS, job_id, "abort"), {}))


def redeliver_job(job_id: str, data_destination: Json | None = None) -> Talk[Done]:
    """Have an ended job's output delivered again, to its own destination or to another one."""
    body = given(dataDestination=data_destination)
    return (yield from change("POST", path_of(_JOBS, job_id, "redeliver"), body))


def delete_job(job_id: str) -> Talk[Done]:
    """Remove a job from the lists; a running one is aborted first."""
    return (yield from change("DELETE", path_of(_JOBS, job_id)))


def duplicate_job(job_id: str) -> Talk[Job]:
    """Copy a job into a new draft."""
    return unwrap(Job, (yield from call("POST", path_of(_JOBS, job_id, "duplicate"), body={})), "job")


def tasks(job_id: str, *, limit: int = 100, offset: int = 0, order_by: str = "") -> Talk[Page[Task]]:
    """Return one page of a job's app tasks, by chunk number unless ordered otherwise."""
    return (yield from fetch_page(Task, path_of(_JOBS, job_id, "tasks"), paging(limit, offset, order_by)))


def task(job_id: str, task_id: str) -> Talk[Task]:
    """Return one task, also that of the partitioner or the assembler."""
    return (yield from fetch(Task, path_of(_JOBS, job_id, "tasks", task_id), member="task"))


def running_tasks(job_ids: Sequence[str]) -> Talk[dict[str, int]]:
    """Count the running tasks of jobs."""
    body: Json = {"jobsIds": list(job_ids)}
    answer = yield from call("POST", f"{_JOBS}/runningTasks", body=body, repeatable=True)
    return {str(name): int(count) for name, count in (answer.get("jobsRunningTasks") or {}).items()}


def estimation(job_id: str) -> Talk[Json]:
    """Return what a job is expected to cost, as the fabric puts it."""
    answer = yield from call("GET", path_of(f"{_JOBS}/estimation", job_id))
    found: Json = answer.get("estimation") or {}
    return found


def stats() -> Talk[Stats]:
    """Return counts over all of the caller's jobs."""
    return (yield from fetch(Stats, "/v1/customer/metrics"))


def try_data_source(
    data_source: Json, *, list_files: bool = False, path: str = "", after: str = "", limit: int = 0
) -> Talk[DataSourceTest]:
    """Look whether a data source can be read, and what it holds.

    With a `path` the files are those directly in that folder of it, "/" being the source itself. What one page says
    is `after` brings the next.
    """
    body = {"dataSource": data_source, "listFiles": list_files} | given(path=path, after=after)
    return (yield from _look(body, limit))


def try_data_destination(
    data_destination: Json, *, list_files: bool = False, path: str = "", after: str = "", limit: int = 0
) -> Talk[DataSourceTest]:
    """Look whether output can be written to a destination, by a small file that is deleted again; and what it holds."""
    body = {"dataDestination": data_destination, "listFiles": list_files} | given(path=path, after=after)
    return (yield from _look(body, limit))


def _look(body: Json, limit: int) -> Talk[DataSourceTest]:
    body = body | ({"limit": limit} if limit else {})
    answer = yield from call("POST", "/v1/customer/datasource/test", body=body, repeatable=True)
    return DataSourceTest(answer)


def contact(email: str, summary: str, description: str) -> Talk[Done]:
    """Send a message to the operators."""
    body = {"email": email, "summary": summary, "description": description}
    return (yield from change("POST", "/v1/customer/contact", body))


def upload_source(job_id: str, file: Path, on_bytes: BytesMoved = ignore_bytes) -> Talk[None]:
    """Make `file` the data source of a draft: ask for a link, send the bytes there, confirm.

    `on_bytes` is told the number of bytes of each step.
    """
    link = yield from _upload_link(job_id, file.name)
    yield from send_file(link, file, on_bytes)
    yield from change("PATCH", path_of(_JOBS, job_id, "uploadcompleted"), {}, repeatable=True)


def upload_blocks(job_id: str, name: str, size: int, blocks: Blocks) -> Talk[None]:
    """Make `size` bytes, given in blocks, the data source of a draft."""
    link = yield from _upload_link(job_id, name)
    yield from send_blocks(link, name, size, blocks, ignore_bytes)
    yield from change("PATCH", path_of(_JOBS, job_id, "uploadcompleted"), {}, repeatable=True)


def wait(job_id: str, on_progress: OnProgress | None = None) -> Talk[Job]:
    """Return a job when it has ended, however; `on_progress` is told how it is each time it is looked at.

    Raises:
        ClientError: when it is a draft, which would never end.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        found = yield from job(job_id)
        if on_progress:
            on_progress(found)
        if found.is_final:
            return found
        if found.state == JobState.NEW:
            raise ClientError(f"job {job_id} is a draft; run it first: gridloom job run {job_id}")
        yield Sleep(seconds=pause_s)
        pause_s = min(_MOST_PAUSE_S, pause_s * _SLOWER)


def results(job_id: str) -> Talk[list[Result]]:
    """List every output file of a complete job."""
    found: list[Result] = []
    while True:
        page = yield from fetch_page(
            Result, path_of(_JOBS, job_id, "results"), paging(_PAGE, len(found)), "results"
        )
        found += page.items
        if page.next_offset is None:
            return found


def download_result(result: Result, folder: Path, on_bytes: BytesMoved = ignore_bytes) -> Talk[Path]:
    """Fetch one output file below `folder`, under the name that the fabric gives it; returns its path."""
    return (yield from fetch_file(result.link, folder, result.name, on_bytes))


def collect(job_id: str, to: Path | None = None, on_bytes: BytesMoved = ignore_bytes) -> Talk[list[Output]]:
    """Fetch every output file of a complete job, into memory or below the folder `to`."""
    found = yield from results(job_id)
    outputs = [Output(name=it.name) for it in found]
    for number, it in enumerate(found):
        if to is None:
            outputs[number] = replace(outputs[number], content=(yield from fetch_bytes(it.link)))
        else:
            path = yield from download_result(it, to, on_bytes)
            outputs[number] = replace(outputs[number], path=path)
    return outputs


def _upload_link(job_id: str, name: str) -> Talk[str]:
    source = {"dataSourceDescriptor": "file", "params": {"@type": _FILE_TYPE, "name": name}}
    draft = yield from change_job(job_id, "datasource", {"dataSource": source})
    link = str(draft.data_source.params.get("tempUrl") or "") if draft.data_source else ""
    if not link:
        raise ClientError("the fabric gave no link to upload the data source to")
    return link
