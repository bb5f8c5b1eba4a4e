"""`gridloom events`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.access import PATIENCE_S
from cli.output import AsJson, clean, say, show_line
from cli.progress import label

if TYPE_CHECKING:
    from gridloom.client import Event


def events(
    context: typer.Context,
    *,
    job: Annotated[
        list[str], typer.Option("--job", metavar="JOB_ID", help="Only this job; may be repeated.")
    ] = [],  # noqa: B006 (typer copies it)
    tasks: Annotated[bool, typer.Option("--tasks/--no-tasks", help="Tell of tasks too.")] = True,
    after: Annotated[str, typer.Option(metavar="ID", help="Go on after the event with this id.")] = "",
    as_json: AsJson = False,
) -> None:
    """Tell what happens to your jobs, as it happens, until Ctrl-C; with --json one line for each.

    Example: gridloom events --job 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --no-tasks
    """
    with context.obj.client(patience_s=PATIENCE_S) as client:
        for event in client.events(job_ids=job, tasks=tasks, after_id=after):
            if as_json:
                show_line(event.raw)
            else:
                say(in_words(event))


def in_words(event: "Event") -> str:
    """Return an event as a person reads it."""
    data = event.data
    state = str(data.get("state") or "")
    happened = str((data.get("stateTimestamps") or {}).get(state) or "")
    words = [happened[:19] or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", event.event]
    if "chunkNumber" in data:
        words += [str(data.get("jobId")), f"{data.get('stage', 'app')} {data['chunkNumber']}", state]
    else:
        words += [str(data.get("id") or ""), str(data.get("name") or ""), label(state)]
    return clean("  ".join(it for it in words if it))
