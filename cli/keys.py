"""`gridloom key ...`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.catalog import command_group
from cli.mailed_codes import Code, confirmed
from cli.moments import future
from cli.output import AsJson, Wide, moment, show, table
from cli.questions import Yes, confirm

if TYPE_CHECKING:
    from gridloom.client.answers.account import NewApiKey

key = command_group("key")

Expires = Annotated[
    datetime | None,
    typer.Option(
        "--expires",
        parser=future,
        metavar="WHEN",
        help="When it ends, such as 90d or 2027-01-31; the fabric has a default.",
    ),
]


@key.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    *,
    code: Code = "",
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it: nothing ever shows it again.

    Where the account has an e-mail address, a code comes there and is asked for; without a terminal the command ends,
    to be repeated with --code.

    Example: gridloom key create nightly --expires 90d
    """
    with context.obj.client() as client:
        made: NewApiKey = confirmed(
            client, "api_key", code, lambda it: client.create_api_key(name, code=it, expires_at=expires)
        )
    text = f"{made.api_key}\nfingerprint {made.key.fingerprint}, expires {moment(made.key.expires_at)}"
    show(made.raw, text, as_json=as_json)


@key.command("list")
def list_all(context: typer.Context, *, wide: Wide = False, as_json: AsJson = False) -> None:
    """List your API keys, revoked ones too.

    Example: gridloom key list
    """
    with context.obj.client() as client:
        found = client.api_keys()
    rows = [
        (
            it.id,
            it.name,
            it.fingerprint,
            moment(it.issued_at),
            moment(it.expires_at),
            "revoked" if it.revoked else "active",
        )
        for it in found
    ]
    titles = ("id", "name", "fingerprint", "issued", "expires", "status")
    show({"apiKeys": [it.raw for it in found]}, table(titles, rows, wide=wide), as_json=as_json)


@key.command("revoke")
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as gridloom key list has it.")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke an API key: within seconds nobody comes in with it any more.

    Example: gridloom key revoke 5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11 --yes
    """
    confirm(f"Revoke the API key {key_id}?", yes=yes)
    with context.obj.client() as client:
        answer = client.revoke_api_key(key_id).raw
    show(answer, f"API key {key_id} revoked", as_json=as_json)
