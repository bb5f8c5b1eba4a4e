"""`gridloom app ...` and `gridloom engine ...`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from cli.catalog import command_group
from cli.output import AsJson, Wide, fields, rest_of, show, table
from cli.questions import ask
from cli.samples import EngineType, write_app, write_engine
from cli.sharing import add_sharing
from gridloom.errors import BadInput

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

app = command_group("app")
engine = command_group("engine")


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
    kind: Annotated[EngineType | None, typer.Option("--type", help="What the engine does.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a folder with a sample engine; nothing is uploaded.

    Example: gridloom engine new by-chapter --type partitioner
    """
    write_engine(name, kind or _asked_kind())
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

    @group.command("pull", help=f"Download {one}'s folder.\n\nExample: gridloom {kind} pull shout@0.1")
    def pull(
        context: typer.Context,
        tag: Tag,
        folder: Annotated[
            Path | None,
            typer.Argument(metavar="[FOLDER]", help="A new folder; the name by default.", show_default=False),
        ] = None,
        *,
        as_json: AsJson = False,
    ) -> None:
        into = folder or Path(tag.rpartition("/")[2].partition("@")[0])
        _pull(context, kind, tag, into)
        show({"folder": str(into)}, f"{tag} is in {into}", as_json=as_json)

    @group.command("list", help=f"List your {kind}s.\n\nExample: gridloom {kind} list")
    def list_all(
        context: typer.Context,
        *,
        public: Public = False,
        limit: Limit = 100,
        offset: Offset = 0,
        wide: Wide = False,
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
        show(answer, table(titles, rows, wide=wide) + rest_of(answer), as_json=as_json)


def _asked_kind() -> EngineType:
    kinds = get_args(EngineType)
    otherwise = f"say what the engine does: --type {' or --type '.join(kinds)}"
    answer = ask(" or ".join(kinds), otherwise=otherwise)
    for kind in kinds:
        if answer and kind.startswith(answer.lower()):
            found: EngineType = kind
            return found
    raise BadInput(otherwise)


def _pull(context: typer.Context, kind: "Kind", tag: str, into: Path) -> None:
    from gridloom.archives import unpack_component

    if into.exists():
        raise BadInput(f"{into} exists already")
    with context.obj.client() as client:
        archive = client.pull_component(kind, tag)
    try:
        unpack_component(archive, into)
    except OSError as error:
        raise BadInput(f"can't write {into}: {error.strerror}") from error


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
add_sharing(app, "app")
add_sharing(engine, "engine")
