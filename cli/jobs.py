"""`gridloom job ...`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import ends, job_edits, job_lists, logs
from cli.access import PATIENCE_S
from cli.catalog import command_group
from cli.drafts import TEMPORARY_BUCKET, Draft, make_job, read_config, read_params
from cli.output import AsJson, Wide, complain, fields, say, show, show_line, table
from cli.phases import phase_line
from cli.progress import job_progress, transfer_progress
from cli.waiting import fetch_results

if TYPE_CHECKING:
    from gridloom.client import Client, Job, Result

job = command_group("job")

JobId = Annotated[str, typer.Argument(metavar="JOB_ID")]
Origin = Annotated[
    str, typer.Argument(metavar="TEMPLATE", help="A template's id, or the id of a draft that exists.")
]
Params = Annotated[
    list[str],
    typer.Option(
        "--param", metavar="SECTION.KEY=VALUE", help="A parameter, e.g. app.case=upper; may be repeated."
    ),
]
Config = Annotated[
    list[str],
    typer.Option("--config", metavar="NAME=VALUE", help="A setting, e.g. task_timeout=60; may be repeated."),
]
Reuse = Annotated[
    bool, typer.Option("--reuse", help="Take results that earlier jobs of yours made of the same chunks.")
]
Source = Annotated[
    str,
    typer.Option(
        "--input",
        "--source",
        metavar="FILE|PLACE",
        help=f"Data source: a file, an http(s) URL, {ends.SPELLING}, or JSON.",
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="DIR", help="Fetch the results into this folder.")
]
Name = Annotated[str, typer.Option("--name", help="Display name.")]

_SHOWN = (
    "id",
    "name",
    "state",
    "errorMessage",
    "warning",
    "templateId",
    "numChunks",
    "progress",
    "params",
    "config",
)
_SHOWN_AFTER = (
    "dataSource",
    "dataDestination",
    "createdAt",
    "submittedAt",
    "startedAt",
    "endedAt",
    "duration",
)


@job.command("create")
def create(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    template: Origin,
    *,
    param: Params = [],  # noqa: B006 (typer copies it)
    config: Config = [],  # noqa: B006
    reuse: Reuse = False,
    source: Source = "",
    destination: ends.Destination = "",
    secret: ends.Secret = "",
    region: ends.Region = "",
    endpoint: ends.Endpoint = "",
    overwrite: ends.Overwrite = False,
    name: Name = "",
    as_json: AsJson = False,
) -> None:
    """Create a draft from a template.

    Example: gridloom job create shout-template --input notes.txt
    """
    options = ends.BucketOptions(secret=secret, region=region, endpoint=endpoint)
    draft = Draft(
        origin=template,
        name=name,
        **_source(source, options),
        destination=ends.read_destination(destination, options, overwrite=overwrite),
        params=read_params(param),
        config=_settings(config, reuse=reuse),
    )
    with context.obj.client() as client:
        made = client.job(str(_made(client, draft, quiet=as_json)["id"])).raw
    show(made, f"Job {made['id']}: run it with gridloom job run {made['id']}", as_json=as_json)


@job.command("run")
def run(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    template: Origin,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end; --output does so too.")] = False,
    param: Params = [],  # noqa: B006 (typer copies it)
    config: Config = [],  # noqa: B006
    reuse: Reuse = False,
    source: Source = "",
    destination: ends.Destination = "",
    secret: ends.Secret = "",
    region: ends.Region = "",
    endpoint: ends.Endpoint = "",
    overwrite: ends.Overwrite = False,
    output: Output = None,
    name: Name = "",
    as_json: AsJson = False,
) -> None:
    """Create a job from a template and run it, or run a draft.

    Example: gridloom job run shout-template --wait --param app.case=upper --input notes.txt --output result
    """
    options = ends.BucketOptions(secret=secret, region=region, endpoint=endpoint)
    fetched = None if output is None else TEMPORARY_BUCKET
    draft = Draft(
        origin=template,
        name=name,
        **_source(source, options),
        destination=ends.read_destination(destination, options, overwrite=overwrite) or fetched,
        params=read_params(param),
        config=_settings(config, reuse=reuse),
    )
    with context.obj.client(patience_s=PATIENCE_S) as client:
        job_id = str(_made(client, draft, quiet=as_json)["id"])
        if not as_json:
            say(f"Job {job_id}")
        client.run_job(job_id)
        if wait or output:
            _finish(client, job_id, output, as_json=as_json)
        else:
            started = client.job(job_id).raw
            show(started, f"It runs; watch it with gridloom job watch {job_id}", as_json=as_json)


@job.command("watch")
def watch(context: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Show a job's progress until it has ended; with --json one line for each change.

    Example: gridloom job watch 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11
    """
    shown: dict[str, Any] = {}

    def show_change(found: "Job") -> None:
        nonlocal shown
        if found.raw != shown:
            shown = found.raw
            show_line(shown)

    with context.obj.client(patience_s=PATIENCE_S) as client:
        ended = client.wait(job_id, show_change) if as_json else _followed(client, job_id, quiet=False)
    _close(ended, as_json=as_json)


@job.command("get")
def get(context: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Show a job.

    Example: gridloom job get 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11
    """
    with context.obj.client() as client:
        found = client.job(job_id).raw
    ends = {name: _end(found.get(name)) for name in ("dataSource", "dataDestination")}
    show(found, fields(found | ends, (*_SHOWN, *_SHOWN_AFTER)), as_json=as_json)


@job.command("results")
def results(
    context: typer.Context,
    job_id: JobId,
    *,
    output: Output = None,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List the files that a job delivered, and fetch them with --output.

    Example: gridloom job results 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --output result
    """
    with context.obj.client(patience_s=PATIENCE_S) as client:
        if output:
            found, files = fetch_results(client, job_id, output, quiet=as_json)
            text = f"{len(files)} files fetched\nResult: {output}"
        else:
            found = client.results(job_id)
            text = table(("name", "bytes", "link"), ((it.name, it.size, it.link) for it in found), wide=wide)
    show({"results": [it.raw for it in found], "output": output}, text, as_json=as_json)


@job.command("download")
def download(
    context: typer.Context,
    job_id: JobId,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="Where to; the job's id by default.", show_default=False),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Fetch the files that a job delivered.

    Example: gridloom job download 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 result
    """
    results(context, job_id, output=folder or Path(job_id), as_json=as_json)


def _settings(config: list[str], *, reuse: bool) -> dict[str, Any]:
    return read_config(config) | ({"reuse": True} if reuse else {})


@job.command("redeliver")
def redeliver(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    job_id: JobId,
    *,
    destination: ends.Destination = "",
    secret: ends.Secret = "",
    region: ends.Region = "",
    endpoint: ends.Endpoint = "",
    overwrite: ends.Overwrite = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Deliver an ended job's output again, to its own destination or to another one; nothing is computed anew.

    Example: gridloom job redeliver 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --destination s3://results/again --wait
    """
    options = ends.BucketOptions(secret=secret, region=region, endpoint=endpoint)
    to = ends.read_destination(destination, options, overwrite=overwrite)
    with context.obj.client(patience_s=PATIENCE_S) as client:
        answer = client.redeliver_job(job_id, to).raw
        if wait:
            _finish(client, job_id, None, as_json=as_json)
        else:
            text = f"Its output is delivered; watch it with gridloom job watch {job_id}"
            show(answer, text, as_json=as_json)


def _source(text: str, options: ends.BucketOptions) -> dict[str, Any]:
    """Return what a draft is told of a source: that it is a file of this machine, or where it is."""
    if not text:
        return {}
    end = ends.read_end(text, options)
    return {"source": end} if end else {"file": Path(text)}


def _made(client: "Client", draft: Draft, *, quiet: bool) -> dict[str, Any]:
    size = draft.file.stat().st_size if draft.file and draft.file.is_file() else 0
    with transfer_progress("Uploading", size, quiet=quiet or not size) as moved:
        return make_job(client, draft, moved)


def _followed(client: "Client", job_id: str, *, quiet: bool) -> "Job":
    try:
        with job_progress(quiet=quiet) as progress:
            ended = client.wait(job_id, progress)
    except KeyboardInterrupt:
        typer.echo(f"the job goes on: gridloom job watch {job_id}", err=True)
        raise
    if not quiet and ended.progress.reused:
        say(f"{ended.progress.reused} of {ended.progress.completed} chunks reused")
    if not quiet and (line := phase_line(ended.phases)):
        say(line)
    return ended


def _finish(client: "Client", job_id: str, output: Path | None, *, as_json: bool) -> None:
    """Wait for the end, fetch the results, say how it went."""
    ended = _followed(client, job_id, quiet=as_json)
    found: list[Result] = []
    if output and not ended.failure:
        found, _ = fetch_results(client, job_id, output, quiet=as_json)
        if not as_json:
            say(f"Result: {output}")
    if as_json:
        show({"job": ended.raw, "results": [it.raw for it in found], "output": output}, "", as_json=True)
    _close(ended, as_json=as_json)


def _close(ended: "Job", *, as_json: bool) -> None:
    """Say that the job is complete, or end with exit code 1 and the reason."""
    if ended.failure:
        complain(ended.failure)
        raise typer.Exit(1)
    if not as_json:
        say("Complete")


def _end(end: dict[str, Any] | None) -> str:
    """Return a source or destination in short: its kind, and what it is called there."""
    params = (end or {}).get("params") or {}
    parts = (params.get("bucketName"), params.get("name"))
    place = params.get("url") or "/".join(str(it) for it in parts if it)
    return f"{(end or {}).get('dataSourceDescriptor', '')} {place}".strip()


job_lists.add_lists(job)
job_edits.add_edits(job)
job.command("logs", help=logs.HELP.format(command="job logs"))(logs.logs)
