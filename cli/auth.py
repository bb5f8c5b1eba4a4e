"""`gridloom auth`: signs in, tells who is signed in, signs out."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.catalog import COMMANDS
from cli.mailed_codes import Code, confirmed
from cli.output import AsJson, complain, fields, show
from cli.questions import read_hidden

if TYPE_CHECKING:
    from gridloom.client.answers.account import User

auth = typer.Typer(
    help=f"{COMMANDS['auth'].help}\n\nWithout a command it signs in.\n\nExample: gridloom --url https://fabric.example "
    "auth",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)

Device = Annotated[
    bool,
    typer.Option(
        "--device", help="Confirm in a browser elsewhere; the rule where this machine has no browser."
    ),
]
Anew = Annotated[bool, typer.Option("--force", help="Sign in even if you are, for instance as another user.")]


@auth.callback()
def default(
    context: typer.Context, *, device: Device = False, anew: Anew = False, as_json: AsJson = False
) -> None:
    """Sign in when no command is named."""
    if context.invoked_subcommand is None:
        _login(context, by_device=device, anew=anew, as_json=as_json)


@auth.command("login")
def login(
    context: typer.Context, *, device: Device = False, anew: Anew = False, as_json: AsJson = False
) -> None:
    """Sign in through the browser, and keep the session in a profile; nothing happens if you are signed in.

    Example: gridloom --url https://fabric.example auth login --device
    """
    _login(context, by_device=device, anew=anew, as_json=as_json)


@auth.command("status")
def status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Tell who you are, where, and by which credential; exit code 1 when you are nobody.

    Example: gridloom auth status
    """
    from cli.sign_in import present_user

    access = context.obj.found()
    with context.obj.client() as client:
        user = present_user(client)
    if user is None:
        complain(f"{access.url} does not take your credential; sign in: gridloom auth")
        raise typer.Exit(1)
    how = "API key" if access.api_key else "sign-in"
    document = {"url": access.url, "profile": access.profile, "credential": how, "user": user.raw}
    shown = {"url": access.url, "profile": access.profile, "credential": how}
    role = user.role.removeprefix("ROLE_").lower()
    shown |= {"user": user.user_name, "email": user.email, "role": role}
    show(document, fields(shown, tuple(shown)), as_json=as_json)


@auth.command("logout")
def logout(context: typer.Context, *, as_json: AsJson = False) -> None:
    """End the session that a profile holds, and forget it.

    Example: gridloom auth logout
    """
    from cli.sign_in import forget
    from gridloom.errors import BadInput, ClientError

    access = context.obj.found()
    if not access.refresh_token:
        raise BadInput("you did not sign in: an API key is used here; gridloom key revoke ends it")
    with context.obj.client() as client, suppress(ClientError):  # it may have ended long since
        client.sign_out()
    forget(access.profile)
    show({"url": access.url, "profile": access.profile}, f"signed out of {access.url}", as_json=as_json)


@auth.command("password")
def password(
    context: typer.Context,
    *,
    code: Code = "",
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the new password from a file.")
    ] = None,
    current_password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read the present password from a file, instead of a code."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set the password for signing in; all other sessions end.

    It comes from a hidden prompt, from standard input or from a file, and is confirmed by a code that is sent by
    e-mail, or by the present password.

    Example: gridloom auth password --password-file new.txt
    """
    new = read_hidden("new password", password_file)
    current = read_hidden("present password", current_password_file) if current_password_file else ""
    with context.obj.client() as client:
        user: User = confirmed(
            client,
            "password",
            code,
            lambda it: client.set_password(new, current_password=current, code=it),
        )
    show(user.raw, "the password is set", as_json=as_json)


def _login(context: typer.Context, *, by_device: bool, anew: bool, as_json: bool) -> None:
    from cli.sign_in import place_of, present_user, sign_in
    from gridloom.errors import SetupFailed

    said = context.obj
    url, profile = place_of(said.url, said.profile)
    if not anew:
        with suppress(SetupFailed), said.client() as client:
            user = present_user(client)
            if user is not None:
                _tell(client.url, user.user_name, user.raw, as_json=as_json, already=True)
                return
    sign_in(url, profile, by_device=by_device)
    with type(said)(profile=profile).client() as client:
        user = client.user()
    _tell(url, user.user_name, user.raw, as_json=as_json, already=False)


def _tell(url: str, name: str, user: object, *, as_json: bool, already: bool) -> None:
    text = f"{'already ' if already else ''}signed in to {url} as {name}"
    show({"url": url, "user": user, "already": already}, text, as_json=as_json)
