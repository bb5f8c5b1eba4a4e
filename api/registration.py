"""How accounts come to be: by sign-up, by an OpenID provider, by an admin, and the first one."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from api.context import Context
from gridloom.errors import BadInput
from gridloom.settings import Settings
from storage.repositories import accounts, wallet
from storage.repositories.accounts import Account
from storage.repositories.components import BUILT_IN_USER

_USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*")
_MOST_EMAIL_CHARS = 254
_DERIVED_CHARS = 40


def register(context: Context, user_name: str, columns: Mapping[str, Any]) -> Account:
    """Add an account and return it; an empty user name is derived from the e-mail.

    Raises:
        BadInput: when the user name or the e-mail is taken.
    """

    def create(connection: Connection) -> Account:
        account_id = add_account(connection, context.settings, user_name, columns)
        row = accounts.by_id(connection, account_id)
        assert row is not None
        return row

    try:
        return context.writer.run(create)
    except IntegrityError:  # another process was faster between the look and the insert
        raise BadInput("the user name or the e-mail is taken", field="userName") from None


def add_account(
    connection: Connection, settings: Settings, user_name: str, columns: Mapping[str, Any]
) -> str:
    """Add an account with its wallet and return its id; every account of this fabric is made here.

    Raises:
        BadInput: when the user name or the e-mail is taken.
    """
    email = columns.get("email")
    if email and accounts.by_email(connection, email) is not None:
        raise BadInput("there is an account with this e-mail; sign in instead", field="email")
    name = user_name or _derived_name(connection, email or "")
    check_free(connection, name)
    account_id = accounts.create_account(connection, name, columns)
    wallet.open_account(connection, account_id, settings.signup_credits)
    return account_id


def check_free(connection: Connection, user_name: str, account_id: str = "") -> None:
    """Raise `BadInput` when another account has this user name."""
    if user_name.lower() == BUILT_IN_USER or accounts.name_taken(connection, user_name, but=account_id):
        raise BadInput(f"the user name {user_name} is taken", field="userName")


def read_user_name(text: str) -> str:
    """Return a user name as it is kept.

    Raises:
        BadInput: when it is not one.
    """
    name = text.strip()
    if not _USER_NAME.fullmatch(name):
        raise BadInput(
            "a user name has 1 to 64 letters, digits, -, _ and ., and starts with a letter or digit",
            field="userName",
        )
    return name


def read_email(text: str) -> str:
    """Return an e-mail address as it is kept, in lower case.

    Raises:
        BadInput: when it is not one.
    """
    email = text.strip().lower()
    if len(email) > _MOST_EMAIL_CHARS or not _EMAIL.fullmatch(email):
        raise BadInput("this is not an e-mail address", field="email")
    return email


def _derived_name(connection: Connection, email: str) -> str:
    local = re.sub(r"[^a-z0-9_.-]+", "-", email.partition("@")[0].lower()).lstrip("-_.")
    name = wanted = local[:_DERIVED_CHARS] or "user"
    while name == BUILT_IN_USER or accounts.name_taken(connection, name):
        name = f"{wanted}-{secrets.token_hex(2)}"
    return name
