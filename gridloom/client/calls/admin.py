"""What accounts with the role admin may do: accounts, ByteChips, the master key, the audit log."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from gridloom.client.answers.account import AuditEntry, NewApiKey, NewUser, Rotation, User
from gridloom.client.answers.base import Page
from gridloom.client.answers.wallet import Coupon, Transaction
from gridloom.client.calls.paths import call, fetch, fetch_page, given, paging, path_of, unwrap
from gridloom.client.steps import Json, Talk

Role = Literal["user", "admin"]

_ADMIN = "/v1/admin"
_USERS = f"{_ADMIN}/users"


def users(*, limit: int = 100, offset: int = 0, order_by: str = "") -> Talk[Page[User]]:
    """Return one page of all accounts."""
    return (yield from fetch_page(User, _USERS, paging(limit, offset, order_by), "users"))


def user_by_id(user_id: str) -> Talk[User]:
    """Return any account."""
    return (yield from fetch(User, path_of(_USERS, user_id), member="user"))


def create_user(
    user_name: str = "", *, email: str = "", password: str = "", role: Role = "user", issue_key: bool = False
) -> Talk[NewUser]:
    """Make an account, on request with a first API key, which no other answer shows."""
    body: Json = {"role": role, "issueKey": issue_key}
    body |= given(userName=user_name, email=email, password=password)
    return NewUser((yield from call("POST", _USERS, body=body)))


def change_user(user_id: str, *, role: Role | None = None, disabled: bool | None = None) -> Talk[User]:
    """Change an account's role, stop it or let it in again."""
    body: Json = {} if disabled is None else {"disabled": disabled}
    answer = yield from call("PATCH", path_of(_USERS, user_id), body=body | given(role=role))
    return unwrap(User, answer, "user")


def issue_key(user_id: str, name: str = "") -> Talk[NewApiKey]:
    """Make an API key for any account."""
    answer = yield from call("POST", path_of(_USERS, user_id, "keys"), body=given(name=name))
    return NewApiKey(answer)


def coupons(*, limit: int = 100, offset: int = 0) -> Talk[Page[Coupon]]:
    """Return one page of all coupons."""
    return (yield from fetch_page(Coupon, f"{_ADMIN}/coupons", paging(limit, offset)))


def create_coupon(
    code: str, amount: Decimal, *, uses: int = 1, expires_at: datetime | None = None
) -> Talk[Coupon]:
    """Make a coupon that so many accounts may redeem."""
    body: Json = {"code": code, "amount": str(amount), "uses": uses}
    body |= given(expiresAt=expires_at and expires_at.isoformat())
    answer = yield from call("POST", f"{_ADMIN}/coupons", body=body)
    return Coupon(answer)


def grant(
    amount: Decimal,
    *,
    account_id: str = "",
    user_name: str = "",
    description: str = "",
    notes: str = "",
    reference: str = "",
) -> Talk[Transaction]:
    """Give an account, named by its id or its user's name, ByteChips; a `reference` is granted once only."""
    named = given(accountId=account_id, userName=user_name, reference=reference)
    body = {"amount": str(amount)} | named | given(description=description, notes=notes)
    return Transaction((yield from call("POST", f"{_ADMIN}/grants", body=body)))


def rotate_key() -> Talk[Rotation]:
    """Seal every secret again under the newest master key; may be repeated."""
    return Rotation((yield from call("POST", f"{_ADMIN}/rotate_key", body={})))


def audit(
    *, account_id: str = "", route: str = "", limit: int = 100, offset: int = 0
) -> Talk[Page[AuditEntry]]:
    """Return one page of the calls that changed something, the newest first."""
    query = paging(limit, offset) | given(accountId=account_id, route=route)
    return (yield from fetch_page(AuditEntry, f"{_ADMIN}/audit", query))
