"""`gridloom job list`, `filter`, `tasks` and `task`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from cli.amounts import amount_of
from cli.components import Limit, Offset
from cli.moments import past
from cli.output import AsJson, Wide, fields, moment, rest_of, show, table
from cli.phases import duration, task_table
from cli.progress import label
from gridloom.ids import task_id
from gridloom.states import JOB_FINAL, JobState, Stage

JobId = Annotated[str, typer.Argument(metavar="JOB_ID")]

_PREFIX = "JOB_STATE_"
_TITLES = ("id", "name", "state", "chunks", "created")
_TASK_SHOWN = (
    "id",
    "chunkNumber",
    "state",
    "retries",
    "exitCode",
    "errorMessage",
    "claim",
    "reuse",
    "price",
    "startedAt",
    "completedAt",
    "deviceInfo",
    "containerStats",
    "networkStats",
)


def add_lists(group: typer.Typer) -> None:
    """Add the commands."""
    for name, command in (("list", list_all), ("filter", filter_all), ("tasks", tasks), ("task", task)):
        group.command(name)(command)


def list_all(
    context: typer.Context,
    *,
    limit: Limit = 20,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List your jobs, the newest first.

    Example: gridloom job list --limit 5
    """
    with context.obj.client() as client:
        answer = client.jobs(limit=limit, offset=offset).raw
    _show_jobs(answer, wide=wide, as_json=as_json)


def filter_all(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    *,
    state: Annotated[
        list[str], typer.Option(help="Such as complete, failed, or running; may be repeated.")
    ] = [],  # noqa: B006 (typer copies it)
    name: Annotated[str, typer.Option(help="A part of the name.")] = "",
    template: Annotated[str, typer.Option(help="The template's id.")] = "",
    since: Annotated[
        datetime | None,
        typer.Option(parser=past, metavar="WHEN", help="Made since then, such as 2h or 2026-01-31."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=past, metavar="WHEN", help="Made before then.")
    ] = None,
    order_by: Annotated[str, typer.Option(help="A field, with desc after it for the reverse.")] = "",
    limit: Limit = 20,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List those of your jobs that meet all conditions.

    Example: gridloom job filter --state failed --name nightly --since 7d
    """
    from gridloom.client import Filter

    filters = []
    if state:
        filters.append(Filter(field="state", condition="IN", value=_states(state)))
    if name:
        filters.append(Filter(field="name", condition="LIKE", value=name))
    if template:
        filters.append(Filter(field="templateId", value=template))
    if since:
        filters.append(Filter(field="createdAt", condition="GTE", value=since.isoformat()))
    if until:
        filters.append(Filter(field="createdAt", condition="LT", value=until.isoformat()))
    with context.obj.client() as client:
        answer = client.filter_jobs(*filters, limit=limit, offset=offset, order_by=order_by).raw
    _show_jobs(answer, wide=wide, as_json=as_json)


def tasks(
    context: typer.Context,
    job_id: JobId,
    *,
    limit: Limit = 20,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List a job's tasks and where their time went: queued, pulled, claimed, fetched, ran, stored.

    Example: gridloom job tasks 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --limit 100
    """
    with context.obj.client() as client:
        answer = client.tasks(job_id, limit=limit, offset=offset).raw
    show(answer, task_table(answer.get("data") or (), wide=wide) + rest_of(answer), as_json=as_json)


def task(
    context: typer.Context,
    job_id: JobId,
    chunk: Annotated[str, typer.Argument(metavar="CHUNK", help="The chunk's number, or a task's id.")],
    *,
    stage: Annotated[Stage, typer.Option(help="The stage of the chunk.")] = Stage.APP,
    as_json: AsJson = False,
) -> None:
    """Show one task: how it went, what it used, what it cost.

    Example: gridloom job task 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 3
    """
    wanted = task_id(job_id, stage, int(chunk)) if chunk.isdigit() else chunk
    with context.obj.client() as client:
        found = client.task(job_id, wanted)
    times = {it.name: duration(it.seconds) for it in found.phases}
    shown = found.raw | {"phases": times, "price": amount_of(found.price)}
    show(found.raw, fields(shown, (*_TASK_SHOWN, "phases")), as_json=as_json)


def _show_jobs(answer: dict[str, Any], *, wide: bool, as_json: bool) -> None:
    rows = [_row(it) for it in answer.get("data") or ()]
    show(answer, table(_TITLES, rows, wide=wide) + rest_of(answer), as_json=as_json)


def _states(words: list[str]) -> list[str]:
    found: list[str] = []
    for word in words:
        state = f"{_PREFIX}{word.upper().removeprefix(_PREFIX).replace('-', '_')}"
        if word.lower() == "running":
            found += [it for it in JobState if it not in JOB_FINAL and it is not JobState.NEW]
        elif state in set(JobState):
            found.append(state)
        else:
            known = ", ".join(it.removeprefix(_PREFIX).lower() for it in JobState)
            raise typer.BadParameter(f"{word!r} is no state; there are running, {known}")
    return found


def _row(found: dict[str, Any]) -> list[object]:
    done = (found.get("progress") or {}).get("completed", 0)
    return [
        found["id"],
        found.get("name"),
        label(found["state"]),
        f"{done}/{found.get('numChunks', 0)}",
        moment(found.get("createdAt")),
    ]
