"""Accounts: who may use the fabric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.sql.expression import ColumnElement

from gridloom.errors import Forbidden
from gridloom.ids import new_uuid
from storage.spans import Span, fetch_span
from storage.tables import accounts, api_keys, oauth_codes, sessions

ORDERS: dict[str, ColumnElement[Any]] = {
    "created_at": accounts.c.created_at,
    "user_name": accounts.c.user_name,
    "email": accounts.c.email,
    "last_login": accounts.c.last_login_at,
}
_ALIVE = accounts.c.deleted_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account that was not deleted."""

    id: str
    user_name: str
    email: str | None  #: in lower case
    email_verified: bool
    password_hash: str | None
    provider: str
    subject: str | None
    role: str
    first_name: str
    last_name: str
    contact_info: dict[str, Any]
    onboarding_info: list[dict[str, Any]]
    is_onboarded: bool
    settings: dict[str, Any]
    last_login_at: datetime | None
    disabled_at: datetime | None
    weight: float
    created_at: datetime
    deleted_at: datetime | None


def any_account(connection: Connection) -> bool:
    """Tell whether there is an account."""
    return connection.execute(select(accounts.c.id).limit(1)).first() is not None


def create_account(connection: Connection, user_name: str, columns: Mapping[str, Any] | None = None) -> str:
    """Add an account, with `columns` besides its user name, and return its id.

    Raises:
        IntegrityError: when the user name or the e-mail is taken.
    """
    fixed = {"id": new_uuid(), "user_name": user_name, "created_at": datetime.now(UTC)}
    connection.execute(insert(accounts).values({**(columns or {}), **fixed}))
    return str(fixed["id"])


def by_id(connection: Connection, account_id: str) -> Account | None:
    """Return the account with this id."""
    return _one(connection, accounts.c.id == account_id)


def by_name(connection: Connection, user_name: str) -> Account | None:
    """Return the account with this user name; case makes no difference."""
    return _one(connection, func.lower(accounts.c.user_name) == user_name.lower())


def by_email(connection: Connection, email: str) -> Account | None:
    """Return the account with this e-mail, which is in lower case."""
    return _one(connection, accounts.c.email == email)


def by_subject(connection: Connection, provider: str, subject: str) -> Account | None:
    """Return the account that is linked to a user of an OpenID provider."""
    return _one(connection, (accounts.c.provider == provider) & (accounts.c.subject == subject))


def enabled(connection: Connection, account_id: str) -> Account:
    """Return the account that a signed link was made for, whoever follows it.

    Raises:
        Forbidden: when it is disabled or gone.
    """
    account = by_id(connection, account_id)
    if account is None or account.disabled_at is not None:
        raise Forbidden("the account that this link was made for is disabled")
    return account


def name_taken(connection: Connection, user_name: str, but: str = "") -> bool:
    """Tell whether an account other than `but` has this user name; case makes no difference."""
    same = func.lower(accounts.c.user_name) == user_name.lower()
    return connection.execute(select(accounts.c.id).where(same, accounts.c.id != but)).first() is not None


def listed(connection: Connection, span: Span) -> tuple[Sequence[Account], int]:
    """Return a page of all accounts, and how many there are."""
    rows, total = fetch_span(connection, select(accounts).where(_ALIVE), span, ORDERS, accounts.c.id)
    return [Account(**row) for row in rows], total


def change(connection: Connection, account_id: str, columns: Mapping[str, Any]) -> bool:
    """Set columns of an account and tell whether there is one."""
    mine = (accounts.c.id == account_id, _ALIVE)
    return connection.execute(update(accounts).where(*mine).values(**columns)).rowcount > 0


def prove_email(connection: Connection, account_id: str, *, keep_credentials: bool) -> None:
    """Note that the account's e-mail reached its owner.

    Who made the account may not be who owns the e-mail. Unless `keep_credentials`, whatever let that person in goes
    with the first proof: password, sessions, granted codes and API keys.
    """
    fresh = (accounts.c.id == account_id, accounts.c.email_verified.is_(False))
    values: dict[str, Any] = {"email_verified": True}
    if not keep_credentials:
        values["password_hash"] = None
    if not connection.execute(update(accounts).where(*fresh).values(**values)).rowcount or keep_credentials:
        return
    good = (api_keys.c.account_id == account_id, api_keys.c.revoked_at.is_(None))
    connection.execute(update(api_keys).where(*good).values(revoked_at=datetime.now(UTC)))
    end_sign_ins(connection, account_id)


def end_sign_ins(connection: Connection, account_id: str, *, but: str = "") -> None:
    """End the account's sessions, all but one if it is named, and codes that were granted but not exchanged yet."""
    good = (sessions.c.account_id == account_id, sessions.c.revoked_at.is_(None), sessions.c.id != but)
    connection.execute(update(sessions).where(*good).values(revoked_at=datetime.now(UTC)))
    granted = (oauth_codes.c.account_id == account_id, oauth_codes.c.used_at.is_(None))
    connection.execute(delete(oauth_codes).where(*granted))


def _one(connection: Connection, condition: ColumnElement[bool]) -> Account | None:
    row = connection.execute(select(accounts).where(condition, _ALIVE)).mappings().first()
    return Account(**row) if row else None
