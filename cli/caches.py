"""`gridloom cache ...`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.catalog import command_group
from cli.components import Limit, Offset
from cli.output import AsJson, Wide, moment, rest_of, show, table
from cli.progress import transfer_progress
from cli.questions import Yes, confirm
from gridloom.errors import BadInput

cache = command_group("cache")

Scope = Annotated[
    Literal["user", "shared"],
    typer.Option(help="Your own cache, or the one of all users, which operators fill."),
]


@cache.command("list")
def list_all(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="[FOLDER]", help="A folder of the cache.")] = "",
    *,
    scope: Scope = "user",
    limit: Limit = 100,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List what was uploaded.

    Example: gridloom cache list models
    """
    with context.obj.client() as client:
        page = client.cache(path, scope=scope, limit=limit, offset=offset)
    rows = [
        (f"{it.path or it.name}{'/' if it.is_dir else ''}", it.size, moment(it.updated_at)) for it in page
    ]
    show(page.raw, table(("path", "bytes", "updated"), rows, wide=wide) + rest_of(page.raw), as_json=as_json)


@cache.command("upload")
def upload(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    path: Annotated[
        str, typer.Argument(metavar="[PATH]", help="Where it shall lie; its own name by default.")
    ] = "",
    *,
    scope: Scope = "user",
    as_json: AsJson = False,
) -> None:
    """Put a file into a cache; tasks find it below USER_CACHE_DIR or SHARED_CACHE_DIR.

    Example: gridloom cache upload weights.bin models/weights.bin
    """
    if not file.is_file():
        raise BadInput(f"{file} is not a file")
    where = path or file.name
    with (
        transfer_progress("Uploading", file.stat().st_size, quiet=as_json) as moved,
        context.obj.client() as client,
    ):
        client.upload_to_cache(file, where, scope=scope, on_bytes=moved)
    show({"path": where, "scope": scope}, f"{where} uploaded", as_json=as_json)


@cache.command("delete")
def delete(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A file, or a folder with all that is in it.")],
    *,
    scope: Scope = "user",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a file or folder of a cache.

    Example: gridloom cache delete models/weights.bin --yes
    """
    confirm(f"Delete {path} from the {scope} cache?", yes=yes)
    with context.obj.client() as client:
        answer = client.delete_from_cache(path, scope=scope).raw
    show(answer, f"{path} deleted", as_json=as_json)
