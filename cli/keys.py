"""`gridloom key ...`."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.catalog import command_group
from cli.moments import future
from cli.output import AsJson, Wide, moment, show, table
from cli.questions import NobodyToAsk, Yes, ask, confirm

if TYPE_CHECKING:
    from gridloom.client import Client
    from gridloom.client.answers.account import NewApiKey
    from gridloom.errors import ClientError

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
    code: Annotated[str, typer.Option(help="The code that came by e-mail.")] = "",
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it: nothing ever shows it again.

    Where the account has an e-mail address, a code comes there and is asked for; without a terminal the command ends,
    to be repeated with --code.

    Example: gridloom key create nightly --expires 90d
    """
    with context.obj.client() as client:
        made = _made(client, name, code, expires)
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


def _made(client: "Client", name: str, code: str, expires: datetime | None) -> "NewApiKey":
    from gridloom.errors import ClientError

    try:
        return client.create_api_key(name, code=code, expires_at=expires)
    except ClientError as error:
        if code or error.field != "otp":
            raise
        return _confirmed(client, name, expires, error)


def _confirmed(client: "Client", name: str, expires: datetime | None, error: "ClientError") -> "NewApiKey":
    email = client.user().email
    client.send_code(email, "api_key")
    sent = f"a code was sent to {email}"
    if not sys.stdin.isatty():
        raise NobodyToAsk(f"{sent}; repeat this command with --code CODE") from error
    return client.create_api_key(name, code=ask(f"{sent}; type it", otherwise=sent), expires_at=expires)
