"""`gridloom job abort`, `delete`, `duplicate`, `rename` and `estimate`."""

from typing import Annotated

import typer

from cli.amounts import amount_of
from cli.output import AsJson, show
from cli.questions import Yes, confirm

JobId = Annotated[str, typer.Argument(metavar="JOB_ID")]


def add_edits(group: typer.Typer) -> None:
    """Add the commands."""
    for command in (abort, delete, duplicate, rename, estimate):
        group.command(command.__name__)(command)


def abort(context: typer.Context, job_id: JobId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Stop a job; a draft is deleted.

    Example: gridloom job abort 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --yes
    """
    confirm(f"Abort job {job_id}?", yes=yes)
    with context.obj.client() as client:
        answer = client.abort_job(job_id).raw
    show(answer, f"Job {job_id} aborted", as_json=as_json)


def delete(context: typer.Context, job_id: JobId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a job from the lists; a running one is aborted first.

    Example: gridloom job delete 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --yes
    """
    confirm(f"Delete job {job_id}?", yes=yes)
    with context.obj.client() as client:
        answer = client.delete_job(job_id).raw
    show(answer, f"Job {job_id} deleted", as_json=as_json)


def duplicate(context: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Copy a job into a new draft.

    Example: gridloom job duplicate 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11
    """
    with context.obj.client() as client:
        made = client.duplicate_job(job_id)
    show(made.raw, f"Job {made.id}: run it with gridloom job run {made.id}", as_json=as_json)


def rename(
    context: typer.Context,
    job_id: JobId,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    *,
    as_json: AsJson = False,
) -> None:
    """Give a draft another display name.

    Example: gridloom job rename 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 "Nightly report"
    """
    with context.obj.client() as client:
        changed = client.change_job(job_id, "jobname", {"name": name})
    show(changed.raw, f"Job {job_id} is now {changed.name}", as_json=as_json)


def estimate(context: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Tell what a job is likely to cost, or what an ended one has cost.

    Example: gridloom job estimate 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11
    """
    with context.obj.client() as client:
        found = client.estimation(job_id)
    amount = found.get("amount", found.get("totalEstimation", 0))
    text = f"{amount_of(amount)} ByteChips for {found.get('numUnitsEstimation', 0)} tasks"
    show(found, text, as_json=as_json)
