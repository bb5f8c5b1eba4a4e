"""Reads what a job's tasks printed: page by page, as it comes, or all in one file."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from gridloom.client.answers.jobs import LogLine, LogPage
from gridloom.client.calls.events import listen
from gridloom.client.calls.files import BytesMoved, ignore_bytes, write_whole
from gridloom.client.calls.paths import call, given, path_of
from gridloom.client.steps import Call, Item, Json, Talk
from gridloom.ids import parse_task_id
from gridloom.states import Stage

_JOBS = "/v1/customer/jobs"
_PAGE = 1000


def logs(  # noqa: PLR0913 (one for each condition)
    job_id: str,
    *,
    stage: Stage | None = None,
    task_ids: Sequence[str] = (),
    search: str = "",
    levels: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    newest_first: bool = False,
    after_id: str = "",
    limit: int = _PAGE,
) -> Talk[LogPage]:
    """Return one page of the log lines that meet the conditions; its `next_id` is the next page's `after_id`.

    The times are UTC unless they say otherwise; `since` is included, `until` is not.
    """
    body = _conditions(stage, task_ids, search, levels, since, until)
    body |= {"jobId": job_id, "afterId": after_id, "limit": limit} | given(
        order="desc" if newest_first else ""
    )
    answer = yield from call("POST", "/v1/customer/logs", body=body, repeatable=True)
    lines = sorted(_lines(job_id, answer), key=lambda line: line.timestamp, reverse=newest_first)
    next_id, complete = str(answer.get("nextId") or after_id), answer.get("complete") is not False
    return LogPage(lines=tuple(lines), next_id=next_id, complete=complete, raw=answer)


def log_lines(  # noqa: PLR0913 (one for each condition)
    job_id: str,
    *,
    follow: bool = False,
    stage: Stage | None = None,
    task_ids: Sequence[str] = (),
    search: str = "",
    levels: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> Talk[None]:
    """Yield every log line that meets the conditions; `follow` yields those to come too, until the job has ended."""
    if follow:
        query = _conditions(stage, task_ids, search, levels, since, until)
        stream = path_of(_JOBS, job_id, "logs", "stream")
        yield from listen(stream, query, after_id="", item_of=lambda event: LogLine(event.data))
        return
    after_id, more = "", True
    while more:
        page = yield from logs(
            job_id,
            stage=stage,
            task_ids=task_ids,
            search=search,
            levels=levels,
            since=since,
            until=until,
            after_id=after_id,
        )
        for line in page.lines:
            yield Item(value=line)
        more = page.next_id != after_id and (bool(page.lines) or not page.complete)
        after_id = page.next_id


def download_logs(  # noqa: PLR0913 (one for each condition)
    job_id: str,
    to: Path,
    *,
    form: Literal["text", "jsonl"] = "text",
    on_bytes: BytesMoved = ignore_bytes,
    stage: Stage | None = None,
    task_ids: Sequence[str] = (),
    search: str = "",
    levels: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> Talk[Path]:
    """Write those of a job's log lines that there are by now and that meet the conditions into the file `to`."""
    path = path_of(_JOBS, job_id, "logs", "download")
    query = _conditions(stage, task_ids, search, levels, since, until) | {"format": form}
    return (yield from write_whole(to, Call(method="GET", path=path, query=query, streams=True), on_bytes))


def _conditions(
    stage: Stage | None,
    task_ids: Sequence[str],
    search: str,
    levels: Sequence[str],
    since: datetime | None,
    until: datetime | None,
) -> Json:
    times = {"from": since and since.isoformat(), "to": until and until.isoformat()}
    return given(stage=stage, taskIds=list(task_ids), search=search, levels=list(levels), **times)


def _lines(job_id: str, page: Json) -> Iterator[LogLine]:
    for member, stage in (("partitioner", Stage.PARTITION), ("assembler", Stage.ASSEMBLE)):
        for entry in page.get(member) or ():
            yield LogLine(entry | {"stage": stage})
    for task_id, found in (page.get("taskrunner") or {}).items():
        more = {"stage": Stage.APP, "taskId": task_id, "task": parse_task_id(job_id, task_id)[1]}
        for entry in found.get("logs") or ():
            yield LogLine(entry | more)
