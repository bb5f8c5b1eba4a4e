"""Accounts as admins name them."""

from typing import TYPE_CHECKING, Annotated

import typer

from gridloom.errors import BadInput
from gridloom.ids import is_uuid

if TYPE_CHECKING:
    from gridloom.client import Client

Who = Annotated[str, typer.Argument(metavar="USER", help="User name, e-mail or id.")]

_PAGE = 500


def user_id_of(client: "Client", who: str) -> str:
    """Return the id of the account with that user name, e-mail or id.

    Raises:
        BadInput: when there is none.
    """
    if is_uuid(who):
        return who
    offset: int | None = 0
    while offset is not None:
        page = client.users(limit=_PAGE, offset=offset)
        for it in page:
            if who.lower() in (it.user_name.lower(), it.email.lower()):
                return it.id
        offset = page.next_offset
    raise BadInput(f"there is no user {who}")
