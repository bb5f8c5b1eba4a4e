"""`gridloom app ...` and `gridloom engine ...`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.output import AsJson, fields, show, table
from cli.samples import EngineType, write_app, write_engine

if TYPE_CHECKING:
    from gridloom.client import Kind

Tag = Annotated[str, typer.Argument(metavar="TAG", help="NAME, NAME@1, NAME@1.2 or an id.")]
Limit = Annotated[int, typer.Option(min=1, help="Most rows to list.")]
Public = Annotated[
    bool, typer.Option("--public", help="List the built-in ones and those that others published.")
]
Offset = Annotated[int, typer.Option(min=0, help="Rows to skip first.")]

_SHOWN = ("name", "version", "type", "status", "description", "entrypoint", "deviceRequirements", "revision")
_SHOWN_AFTER = ("id", "hash", "isPublic", "userName", "createdAt", "updatedAt")

_ONE = {"app": "an app", "engine": "an engine"}

app = typer.Typer(
    help="Apps: the code that runs on every chunk.", no_args_is_help=True, rich_markup_mode=None
)
engine = typer.Typer(
    help="Engines: partitioners and assemblers.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("new")
def new_app(name: Annotated[Path, typer.Argument(metavar="NAME")], *, as_json: AsJson = False) -> None:
    """Write a folder with a sample app and its template; nothing is uploaded.

    Example: gridloom app new shout
    """
    write_app(name)
    show({"folder": str(name)}, f"{name}: upload it with gridloom app push {name}", as_json=as_json)


@engine.command("new")
def new_engine(
    name: Annotated[Path, typer.Argument(metavar="NAME")],
    *,
    kind: Annotated[EngineType, typer.Option("--type", help="What the engine does.")],
    as_json: AsJson = False,
) -> None:
    """Write a folder with a sample engine; nothing is uploaded.

    Example: gridloom engine new by-chapter --type partitioner
    """
    write_engine(name, kind)
    show({"folder": str(name)}, f"{name}: upload it with gridloom engine push {name}", as_json=as_json)


def _add_changes(group: typer.Typer, kind: "Kind") -> None:
    """Give `app` or `engine` the commands that change one."""
    one = _ONE[kind]

    @group.command(
        "push",
        help=f"Upload {one}'s folder; a new version starts inactive.\n\nExample: gridloom {kind} push shout",
    )
    def push(
        context: typer.Context,
        folder: Annotated[Path, typer.Argument(metavar="FOLDER")],
        *,
        as_json: AsJson = False,
    ) -> None:
        with context.obj.client() as client:
            record = client.push_component(kind, folder).raw
        tag = _tag(record)
        hint = "" if record.get("status") == "active" else f"; next: gridloom {kind} activate {tag}"
        show(record, f"{tag} pushed, {record.get('status')}{hint}", as_json=as_json)

    @group.command("activate", help=f"Let jobs use {one}.\n\nExample: gridloom {kind} activate shout@0.1")
    def activate(context: typer.Context, tag: Tag, *, as_json: AsJson = False) -> None:
        _switch(context, kind, tag, "activate", as_json=as_json)

    @group.command(
        "deactivate", help=f"Keep new jobs from using {one}.\n\nExample: gridloom {kind} deactivate shout@0.1"
    )
    def deactivate(context: typer.Context, tag: Tag, *, as_json: AsJson = False) -> None:
        _switch(context, kind, tag, "deactivate", as_json=as_json)


def _add_reads(group: typer.Typer, kind: "Kind") -> None:
    """Give `app` or `engine` the commands that only read."""
    one = _ONE[kind]

    @group.command("get", help=f"Show {one}.\n\nExample: gridloom {kind} get shout")
    def get(context: typer.Context, tag: Tag, *, as_json: AsJson = False) -> None:
        with context.obj.client() as client:
            record = client.component(kind, tag).raw
        show(record, fields(record, (*_SHOWN, *_SHOWN_AFTER)), as_json=as_json)

    @group.command("status", help=f"Tell whether {one} is active.\n\nExample: gridloom {kind} status shout")
    def status(context: typer.Context, tag: Tag, *, as_json: AsJson = False) -> None:
        with context.obj.client() as client:
            found = client.component_status(kind, tag)
        show({"status": found}, found, as_json=as_json)

    @group.command("list", help=f"List your {kind}s.\n\nExample: gridloom {kind} list")
    def list_all(
        context: typer.Context,
        *,
        public: Public = False,
        limit: Limit = 100,
        offset: Offset = 0,
        as_json: AsJson = False,
    ) -> None:
        with context.obj.client() as client:
            listing = client.apps if kind == "app" else client.engines
            answer = listing(limit=limit, offset=offset, public=public).raw
        titles = (
            ("name", "version", "status", "description")
            if kind == "app"
            else ("name", "version", "type", "status", "description")
        )
        rows = [[it.get(title) for title in titles] for it in answer.get(f"{kind}s") or ()]
        show(answer, table(titles, rows) + rest_of(answer), as_json=as_json)


def rest_of(answer: dict[str, Any]) -> str:
    """Return a line that says how many more rows a list has, if it has."""
    paging = answer.get("pagination") or {}
    return (
        f"\n({paging.get('total')} in all; --limit and --offset show more)" if paging.get("hasNext") else ""
    )


def _tag(record: dict[str, Any]) -> str:
    return f"{record.get('name')}@{record.get('version')}"


def _switch(
    context: typer.Context,
    kind: "Kind",
    tag: str,
    switch: Literal["activate", "deactivate"],
    *,
    as_json: bool,
) -> None:
    with context.obj.client() as client:
        call = client.activate if switch == "activate" else client.deactivate
        answer = call(kind, tag).raw
    show(answer, f"{tag} {switch}d", as_json=as_json)


_add_changes(app, "app")
_add_changes(engine, "engine")
_add_reads(app, "app")
_add_reads(engine, "engine")
