"""`gridloom source test` and `gridloom destination test`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cli import ends
from cli.catalog import command_group
from cli.output import AsJson, Wide, complain, fields, show, table
from gridloom.errors import BadInput

if TYPE_CHECKING:
    from gridloom.client.answers.jobs import DataSourceFolder, DataSourceTest

source = command_group("source")
destination = command_group("destination")

_SOURCES, _DESTINATIONS = f"{ends.SPELLING}, an http(s) URL, or JSON", f"{ends.SPELLING}, or JSON"
Source = Annotated[str, typer.Argument(metavar="PLACE", help=f"{_SOURCES}.", show_default=False)]
Destination = Annotated[str, typer.Argument(metavar="PLACE", help=f"{_DESTINATIONS}.", show_default=False)]
Files = Annotated[bool, typer.Option("--files", help="List its files too.")]
Path = Annotated[
    str,
    typer.Option(
        "--path", metavar="FOLDER", help="List only what is directly in this folder of it; / is itself."
    ),
]
After = Annotated[str, typer.Option("--after", metavar="KEY", help="Go on behind this one.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Most files to look at.")]


@source.callback()
@destination.callback()
def _group() -> None:
    # A group of one command would else be that command.
    pass


_ANSWERS = {True: "yes", False: "no", None: "not tried"}


@source.command("test")
def look_at_source(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    place: Source,
    *,
    secret: ends.Secret = "",
    region: ends.Region = "",
    endpoint: ends.Endpoint = "",
    files: Files = False,
    path: Path = "",
    after: After = "",
    limit: Limit = 1000,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Tell whether a job could read a data source, and what it holds; exit code 1 when it could not.

    Example: gridloom source test s3://books/2024/ --secret library --files
    """
    end = _end(place, _SOURCES, ends.BucketOptions(secret=secret, region=region, endpoint=endpoint))
    listed = bool(files or path or after)
    with context.obj.client() as client:
        found = client.test_data_source(end, list_files=listed, path=path, after=after, limit=limit)
    _tell(found, listed=listed, wide=wide, as_json=as_json)
    if found.permissions.read is False:
        raise typer.Exit(1)


@destination.command("test")
def look_at_destination(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    place: Destination,
    *,
    secret: ends.Secret = "",
    region: ends.Region = "",
    endpoint: ends.Endpoint = "",
    files: Files = False,
    path: Path = "",
    after: After = "",
    limit: Limit = 1000,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Tell whether a job could write to a destination, and what is there already; exit code 1 when it could not.

    Writes a small file there and deletes it again.

    Example: gridloom destination test gcp://results/run-7 --secret lake
    """
    end = _end(place, _DESTINATIONS, ends.BucketOptions(secret=secret, region=region, endpoint=endpoint))
    listed = bool(files or path or after)
    with context.obj.client() as client:
        found = client.test_data_destination(end, list_files=listed, path=path, after=after, limit=limit)
    _tell(found, listed=listed, wide=wide, as_json=as_json)
    # Who may not list can't tell whether a file is there, and no job replaces one unasked.
    is_blind = found.permissions.list is False and not end["params"].get("overwrite")
    if found.permissions.write is False or is_blind:
        raise typer.Exit(1)


def _end(place: str, spellings: str, options: ends.BucketOptions) -> ends.Json:
    end = ends.read_end(place, options)
    if end is None:
        raise BadInput(f"{place}: write {spellings}")
    return end


def _tell(found: "DataSourceTest", *, listed: bool, wide: bool, as_json: bool) -> None:
    may = {name: _ANSWERS[getattr(found.permissions, name)] for name in ("list", "read", "write")}
    count = f"{found.count}, {found.total_size} bytes" + (" (there are more)" if found.truncated else "")
    facts = may | {"files": count} | found.properties
    text = fields(facts, tuple(facts))
    if listed and found.files:
        text += "\n\n" + table(("file", "bytes"), _rows(found.files), wide=wide)
        text += f"\n(go on with --after {found.after})" if found.after else ""
    show(found.raw, text, as_json=as_json)
    for problem in found.problems:
        complain(problem)


def _rows(folder: "DataSourceFolder") -> Iterator[tuple[str, str]]:
    """Yield paths and sizes; of a folder whose files were not asked for only its path."""
    for it in folder.directories:
        if it.directories or it.files:
            yield from _rows(it)
        else:
            yield it.path, ""
    for file in folder.files:
        yield file.path, str(file.size)
