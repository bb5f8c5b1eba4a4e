"""`gridloom logs`, and `gridloom job logs`, which is the same."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.access import PATIENCE_S
from cli.moments import past
from cli.output import AsJson, say, show, show_line
from cli.progress import transfer_progress
from gridloom.ids import task_id
from gridloom.logs import LogLevel
from gridloom.states import Stage

if TYPE_CHECKING:
    from gridloom.client import LogLine

HELP = """Print what a job's tasks printed; with --json one line for each.

Example: gridloom {command} 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --level error --search timeout --follow
"""


def logs(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID")],
    *,
    search: Annotated[str, typer.Option(help="Only lines with this text.")] = "",
    level: Annotated[
        list[LogLevel],
        typer.Option(case_sensitive=False, help="Only lines of this level; may be repeated."),
    ] = [],  # noqa: B006 (typer copies it)
    since: Annotated[
        datetime | None,
        typer.Option("--from", parser=past, metavar="WHEN", help="From then on, such as 2h."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", parser=past, metavar="WHEN", help="Before then.")
    ] = None,
    task: Annotated[int | None, typer.Option("--task", min=0, help="Only the task of this chunk.")] = None,
    stage: Annotated[Stage | None, typer.Option("--stage", help="Only this stage.")] = None,
    goes_on: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended.")] = False,
    download: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write them into a file instead.")
    ] = None,
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--format", help="What --download writes.")
    ] = "text",
    as_json: AsJson = False,
) -> None:
    """Search, follow or save what a job printed.

    Example: gridloom logs 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --level error --search timeout
    """
    conditions: dict[str, Any] = {
        "stage": stage,
        "task_ids": () if task is None else (task_id(job_id, stage or Stage.APP, task),),
        "search": search,
        "levels": level,
        "since": since,
        "until": until,
    }
    with context.obj.client(patience_s=PATIENCE_S) as client:
        if download:
            with transfer_progress("Fetching logs", 0, quiet=as_json) as moved:
                client.download_logs(job_id, download, form=form, on_bytes=moved, **conditions)
            show({"file": str(download)}, f"The logs are in {download}", as_json=as_json)
            return
        for line in client.log_lines(job_id, follow=goes_on, **conditions):
            if as_json:
                show_line(line.raw)
            else:
                say(in_words(line))


def in_words(line: "LogLine") -> str:
    """Return a line as a person reads it."""
    source = f"task {line.task}" if line.stage is Stage.APP else line.stage.value
    text = "".join(char if char.isprintable() or char == "\t" else " " for char in line.log)
    return f"{line.timestamp[:23]}  {source}  {text}"
