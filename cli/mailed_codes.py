"""Changes that a code from an e-mail confirms."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from cli.questions import NobodyToAsk, ask

if TYPE_CHECKING:
    from gridloom.client import Client

T = TypeVar("T")
Code = Annotated[str, typer.Option(help="The code that came by e-mail.")]

_CONFIRMATIONS = ("otp", "currentPassword")  #: what the fabric says is missing


def confirmed(
    client: "Client", purpose: Literal["api_key", "password"], code: str, change: Callable[[str], T]
) -> T:
    """Make a change; where it needs a code, have one sent and ask for it.

    Raises:
        NobodyToAsk: when one was sent and there is no terminal.
    """
    from gridloom.errors import ClientError

    try:
        return change(code)
    except ClientError as error:
        if code or error.field not in _CONFIRMATIONS:
            raise
    email = client.user().email
    client.send_code(email, purpose)
    sent = f"a code was sent to {email}"
    if not sys.stdin.isatty():
        raise NobodyToAsk(f"{sent}; repeat this command with --code CODE")
    return change(ask(f"{sent}; type it", otherwise=sent))
