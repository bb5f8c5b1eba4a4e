"""Reads what a job's tasks printed, page by page, and goes on while the job runs."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from gridloom.client.answers.jobs import LogLine, LogPage
from gridloom.client.calls.jobs import job
from gridloom.client.calls.paths import call, given
from gridloom.client.steps import Item, Json, Sleep, Talk
from gridloom.ids import parse_task_id
from gridloom.states import Stage

_PAGE = 1000
_PAUSE_S = 1.0


def logs(  # noqa: PLR0913 (one for each condition)
    job_id: str,
    *,
    stage: Stage | None = None,
    task_ids: Sequence[str] = (),
    search: str = "",
    levels: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    after_id: str = "",
    limit: int = _PAGE,
) -> Talk[LogPage]:
    """Return one page of the log lines that meet the conditions; its `next_id` is the next page's `after_id`."""
    body: Json = {"jobId": job_id, "taskIds": list(task_ids), "afterId": after_id, "limit": limit}
    times = {"from": since and since.isoformat(), "to": until and until.isoformat()}
    body |= given(stage=stage, search=search, levels=list(levels), **times)
    answer = yield from call("POST", "/v1/customer/logs", body=body, reads=True)
    lines = tuple(sorted(_lines(job_id, answer), key=lambda line: line.timestamp))
    return LogPage(lines=lines, next_id=str(answer.get("nextId") or after_id), raw=answer)


def log_lines(
    job_id: str,
    *,
    follow: bool = False,
    stage: Stage | None = None,
    task_ids: Sequence[str] = (),
    search: str = "",
    levels: Sequence[str] = (),
) -> Talk[None]:
    """Yield every log line that meets the conditions; `follow` waits for more until the job has ended."""
    after_id = ""
    while True:
        # Asked before the lines are read, so that none is missed that came in between.
        last = not follow or (yield from job(job_id)).is_final
        while True:
            page = yield from logs(
                job_id, stage=stage, task_ids=task_ids, search=search, levels=levels, after_id=after_id
            )
            for line in page.lines:
                yield Item(value=line)
            if page.next_id == after_id or not page.lines:
                break
            after_id = page.next_id
        if last:
            return
        yield Sleep(seconds=_PAUSE_S)


def _lines(job_id: str, page: Json) -> Iterator[LogLine]:
    for member, stage in (("partitioner", Stage.PARTITION), ("assembler", Stage.ASSEMBLE)):
        for entry in page.get(member) or ():
            yield LogLine(entry | {"stage": stage})
    for task_id, found in (page.get("taskrunner") or {}).items():
        more = {"stage": Stage.APP, "taskId": task_id, "task": parse_task_id(job_id, task_id)[1]}
        for entry in found.get("logs") or ():
            yield LogLine(entry | more)
