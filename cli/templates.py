"""`gridloom template ...`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.catalog import command_group
from cli.components import Limit, Offset, Public
from cli.output import AsJson, Wide, rest_of, show, table
from cli.samples import write_template
from cli.sharing import add_sharing
from gridloom import lenient_json
from gridloom.errors import BadInput

template = command_group("template")

_PUSHED = (
    "id",
    "description",
    "app",
    "partitioner",
    "assembler",
    "dataSource",
    "dataDestination",
    "params",
    "config",
)

TemplateId = Annotated[str, typer.Argument(metavar="ID")]


@template.command("new")
def new(template_id: TemplateId, *, as_json: AsJson = False) -> None:
    """Write a sample template to ID.json; nothing is uploaded.

    Example: gridloom template new loud-notes
    """
    file = Path(f"{template_id}.json")
    write_template(file, template_id, app=template_id.removesuffix("-template"))
    show({"file": str(file)}, f"{file}: upload it with gridloom template push {file}", as_json=as_json)


@template.command("push")
def push(
    context: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE")], *, as_json: AsJson = False
) -> None:
    """Upload a template, or replace the one of that id.

    Example: gridloom template push loud-notes.json
    """
    body = read_template(file)
    with context.obj.client() as client:
        answer = client.push_template(body).raw
    show(answer, f"{body.get('id')} pushed", as_json=as_json)


@template.command("get")
def get(context: typer.Context, template_id: TemplateId, *, as_json: AsJson = False) -> None:
    """Show a template.

    Example: gridloom template get shout-template
    """
    with context.obj.client() as client:
        record = client.template(template_id).raw
    show(record, json.dumps(record, indent=2, ensure_ascii=False), as_json=as_json)


@template.command("pull")
def pull(
    context: typer.Context,
    template_id: TemplateId,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A new file; ID.json by default.", show_default=False),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write a template as it could be pushed again.

    Example: gridloom template pull shout-template shout.json
    """
    target = file or Path(f"{template_id.rpartition('/')[2]}.json")
    with context.obj.client() as client:
        record = client.template(template_id).raw
    body = {name: found for name in _PUSHED if (found := _said(record.get(name))) not in (None, "", {})}
    try:
        with target.open("x") as opened:
            opened.write(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise BadInput(f"can't write {target}: {error.strerror}") from None
    show({"file": str(target)}, f"{template_id} is in {target}", as_json=as_json)


@template.command("list")
def list_all(
    context: typer.Context,
    *,
    public: Public = False,
    limit: Limit = 100,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List your templates.

    Example: gridloom template list
    """
    with context.obj.client() as client:
        answer = client.templates(limit=limit, offset=offset, public=public).raw
    titles = ("id", "app", "partitioner", "assembler", "description")
    rows = [[it.get(title) for title in titles] for it in answer.get("templates") or ()]
    show(answer, table(titles, rows, wide=wide) + rest_of(answer), as_json=as_json)


add_sharing(template, "template")


def _said(value: Any) -> Any:
    """Return a value without members that say nothing."""
    if not isinstance(value, dict):
        return value
    return {name: said for name, it in value.items() if (said := _said(it)) not in (None, {})}


def read_template(file: Path) -> dict[str, Any]:
    """Read a template's file; a comma too many at the end of an object or array is overlooked.

    Raises:
        BadInput: when it is not there or no JSON object.
    """
    try:
        body = lenient_json.parse(file.read_bytes())
    except OSError as error:
        raise BadInput(f"can't read {file}: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{file} is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadInput(f"{file} is not a JSON object")
    return body
