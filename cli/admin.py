"""`gridloom admin ...`: accounts, and the audit log; ByteChips and the master key have modules of their own."""

from typing import Annotated, Literal

import typer

from cli import admin_keys, admin_wallet
from cli.catalog import command_group
from cli.components import Limit, Offset
from cli.output import AsJson, Wide, fields, moment, rest_of, show, table
from cli.questions import Yes, confirm, read_hidden
from cli.user_ids import Who, user_id_of

admin = command_group("admin")
user = typer.Typer(help="Accounts.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)

_SHOWN = ("id", "userName", "email", "role", "disabled", "createdAt")


@user.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="User name.")],
    *,
    email: Annotated[str, typer.Option(help="For signing in, and for codes.")] = "",
    role: Annotated[Literal["user", "admin"], typer.Option(help="What the account may do.")] = "user",
    with_password: Annotated[
        bool, typer.Option("--with-password", help="Ask for a password, or read it from standard input.")
    ] = False,
    with_key: Annotated[
        bool, typer.Option("--key/--no-key", help="Make a first API key and print it.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make an account, and print its first API key: nothing ever shows that again.

    Example: gridloom admin user add ada --email ada@example.org
    """
    password = read_hidden("password") if with_password else ""
    with context.obj.client() as client:
        made = client.create_user(name, email=email, password=password, role=role, issue_key=with_key)
    shown = made.user.raw | ({"apiKey": made.api_key} if made.api_key else {})
    show(made.raw, fields(shown, (*_SHOWN, "apiKey")), as_json=as_json)


@user.command("list")
def list_all(
    context: typer.Context,
    *,
    limit: Limit = 100,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List all accounts.

    Example: gridloom admin user list
    """
    with context.obj.client() as client:
        page = client.users(limit=limit, offset=offset)
    rows = [
        (
            it.user_name,
            it.email,
            it.role.removeprefix("ROLE_").lower(),
            "disabled" if it.disabled else "active",
            moment(it.last_login),
            it.id,
        )
        for it in page
    ]
    titles = ("name", "email", "role", "status", "last sign-in", "id")
    show(page.raw, table(titles, rows, wide=wide) + rest_of(page.raw), as_json=as_json)


@user.command("disable")
def disable(context: typer.Context, who: Who, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Stop an account: none of its keys and sessions lets anybody in.

    Example: gridloom admin user disable ada --yes
    """
    confirm(f"Disable the account {who}?", yes=yes)
    _switch(context, who, disabled=True, as_json=as_json)


@user.command("enable")
def enable(context: typer.Context, who: Who, *, as_json: AsJson = False) -> None:
    """Let a disabled account in again.

    Example: gridloom admin user enable ada
    """
    _switch(context, who, disabled=False, as_json=as_json)


@user.command("key")
def key(
    context: typer.Context,
    who: Who,
    *,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an API key for an account and print it: nothing ever shows it again.

    Example: gridloom admin user key ada --name nightly
    """
    with context.obj.client() as client:
        made = client.issue_key(user_id_of(client, who), name)
    show(made.raw, made.api_key, as_json=as_json)


@admin.command("audit")
def audit(
    context: typer.Context,
    *,
    who: Annotated[str, typer.Option("--user", help="Only calls of this account.")] = "",
    route: Annotated[str, typer.Option(help="Only calls of this route, as the list shows it.")] = "",
    limit: Limit = 20,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List the calls that changed something, or tried to, the newest first.

    Example: gridloom admin audit --user ada --limit 50
    """
    with context.obj.client() as client:
        account_id = user_id_of(client, who) if who else ""
        page = client.audit(account_id=account_id, route=route, limit=limit, offset=offset)
    rows = [
        (
            moment(it.raw.get("at")),
            it.user_name,
            it.method,
            it.route,
            it.resource or "",
            it.status,
            it.address,
        )
        for it in page
    ]
    titles = ("at", "user", "method", "route", "on", "status", "address")
    show(page.raw, table(titles, rows, wide=wide) + rest_of(page.raw), as_json=as_json)


def _switch(context: typer.Context, who: str, *, disabled: bool, as_json: bool) -> None:
    with context.obj.client() as client:
        changed = client.change_user(user_id_of(client, who), disabled=disabled)
    show(changed.raw, f"{who} {'disabled' if disabled else 'enabled'}", as_json=as_json)


admin.add_typer(user, name="user")
admin.add_typer(admin_wallet.coupon, name="coupon")
admin.command("grant")(admin_wallet.grant)
admin.command("rotate-key")(admin_keys.rotate_key)
