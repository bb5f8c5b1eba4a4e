"""`gridloom secret ...`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.catalog import command_group
from cli.moments import future
from cli.output import AsJson, Wide, moment, show, table
from cli.questions import Yes, confirm, read_hidden

secret = command_group("secret")

SecretType = Literal["aws", "s3", "gcp", "storj", "other"]

Id = Annotated[str, typer.Argument(metavar="ID")]
Type = Annotated[SecretType, typer.Option("--type", help="What it opens.")]


@secret.command("save")
def save(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    secret_id: Id,
    *,
    kind: Type = "other",
    access_key: Annotated[str, typer.Option(help="The public half, where there is one.")] = "",
    name: Annotated[str, typer.Option(help="Display name.")] = "",
    secret_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the secret key from a file.")
    ] = None,
    param: Annotated[
        list[str], typer.Option("--param", metavar="NAME=VALUE", help="What else is needed; may be repeated.")
    ] = [],  # noqa: B006 (typer copies it)
    expires: Annotated[
        datetime | None,
        typer.Option(parser=future, metavar="WHEN", help="When it ends, such as 30d or 2027-01-31."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save a secret, or replace the one of that type and id.

    The secret key comes from a hidden prompt, from standard input or from a file; no argument takes it, since others
    on the machine can read those.

    Example: gridloom secret save weights --type s3 --access-key AK7 --secret-key-file key.txt
    """
    params = dict(_pair(it) for it in param)
    key = read_hidden("secret key", secret_key_file)
    with context.obj.client() as client:
        answer = client.save_secret(
            secret_id,
            key,
            secret_type=kind,
            access_key=access_key,
            name=name,
            expires_at=expires,
            params=params or None,
        ).raw
    show(answer, f"secret {secret_id} saved", as_json=as_json)


@secret.command("list")
def list_all(
    context: typer.Context,
    *,
    kind: Annotated[SecretType | None, typer.Option("--type", help="Only these.")] = None,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List your secrets; their secret keys are never shown.

    Example: gridloom secret list --type s3
    """
    with context.obj.client() as client:
        found = client.secrets(kind)
    rows = [(it.id, it.secret_type, it.name, it.access_key, moment(it.expires_at)) for it in found]
    titles = ("id", "type", "name", "access key", "expires")
    show({"secrets": [it.raw for it in found]}, table(titles, rows, wide=wide), as_json=as_json)


@secret.command("delete")
def delete(
    context: typer.Context, secret_id: Id, *, kind: Type = "other", yes: Yes = False, as_json: AsJson = False
) -> None:
    """Delete a secret.

    Example: gridloom secret delete weights --type s3 --yes
    """
    confirm(f"Delete secret {secret_id} of type {kind}?", yes=yes)
    with context.obj.client() as client:
        answer = client.delete_secret(secret_id, kind).raw
    show(answer, f"secret {secret_id} deleted", as_json=as_json)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"--param {text}: write NAME=VALUE")
    return name, value
