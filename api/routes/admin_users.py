"""/v1/admin/users: admins make accounts, stop them, and give them keys."""

from datetime import UTC, datetime

from fastapi import APIRouter

from api import key_issue, passwords
from api.context import Context
from api.deps import AdminDep, ContextDep, GateDep, PageDep
from api.json_route import JsonRoute
from api.registration import read_email, read_user_name, register
from api.shapes.accounts import (
    ChangeUserRequest,
    CreateUserRequest,
    CreateUserResponse,
    IssueKeyRequest,
    UserListResponse,
    UserResponse,
)
from api.shapes.auth import CreateApiKeyResponse
from api.shapes.base import PaginatedResponse
from api.tokens import Caller, TokenGate
from api.user_view import user_of
from gridloom.errors import BadInput, BadState, NotFound
from storage.repositories import accounts
from storage.repositories.accounts import Account

router = APIRouter(route_class=JsonRoute, tags=["Users"])


@router.get("/users")
def get_users(context: ContextDep, _: AdminDep, page: PageDep) -> UserListResponse:
    """List all accounts."""
    with context.database.read() as connection:
        rows, total = accounts.listed(connection, page)
    pagination = PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows))
    return UserListResponse(users=[user_of(row) for row in rows], pagination=pagination)


@router.post("/users")
def create_user(context: ContextDep, _: AdminDep, body: CreateUserRequest) -> CreateUserResponse:
    """Make an account, on request with a first API key."""
    if not body.user_name.strip() and not body.email.strip():
        raise BadInput("give a userName or an email", field="userName")
    email = read_email(body.email) if body.email.strip() else None
    columns = {
        "email": email,
        "email_verified": email is not None,  # an admin vouches for it
        "password_hash": passwords.hashed_new(body.password) if body.password else None,
        "role": body.role,
    }
    row = register(context, read_user_name(body.user_name) if body.user_name.strip() else "", columns)
    key = (
        key_issue.issue(context, row.id, "first key", key_issue.end_of(None, None))[0]
        if body.issue_key
        else ""
    )
    return CreateUserResponse(user=user_of(row), api_key=key)


@router.get("/users/{id}")
def get_user(context: ContextDep, _: AdminDep, id: str) -> UserResponse:  # noqa: A002 - as in every path
    """Read one account."""
    return UserResponse(user=user_of(_found(context, id)))


@router.patch("/users/{id}")
def change_user(
    context: ContextDep,
    caller: AdminDep,
    gate: GateDep,
    body: ChangeUserRequest,
    id: str,  # noqa: A002 - as in every path
) -> UserResponse:
    """Change an account's role, stop it or let it in again."""
    _check_not_self(caller, id)
    columns: dict[str, object] = {}
    if body.role is not None:
        columns["role"] = body.role
    if body.disabled is not None:
        columns["disabled_at"] = datetime.now(UTC) if body.disabled else None
    if columns:
        _change(context, gate, id, **columns)
    return UserResponse(user=user_of(_found(context, id)))


@router.post("/users/{id}/disable")
def disable_user(context: ContextDep, caller: AdminDep, gate: GateDep, id: str) -> UserResponse:  # noqa: A002 - as in every path
    """Stop an account: its keys, sessions and tokens let nobody in while it is disabled."""
    _check_not_self(caller, id)
    _change(context, gate, id, disabled_at=datetime.now(UTC))
    return UserResponse(user=user_of(_found(context, id)))


@router.post("/users/{id}/enable")
def enable_user(context: ContextDep, _: AdminDep, gate: GateDep, id: str) -> UserResponse:  # noqa: A002 - as in every path
    """Let a disabled account in again."""
    _change(context, gate, id, disabled_at=None)
    return UserResponse(user=user_of(_found(context, id)))


@router.post("/users/{id}/keys")
def issue_key(
    context: ContextDep,
    _: AdminDep,
    id: str,  # noqa: A002 - as in every path
    body: IssueKeyRequest | None = None,
) -> CreateApiKeyResponse:
    """Issue an API key to an account; this answer alone shows it."""
    account, name = _found(context, id), (body or IssueKeyRequest()).name
    key, metadata = key_issue.issue(context, account.id, name, key_issue.end_of(None, None))
    return CreateApiKeyResponse(api_key=key, key=metadata)


def _found(context: Context, account_id: str) -> Account:
    with context.database.read() as connection:
        row = accounts.by_id(connection, account_id)
    if row is None:
        raise NotFound(f"there is no user {account_id}")
    return row


def _change(context: Context, gate: TokenGate, account_id: str, **columns: object) -> None:
    if not context.writer.run(lambda connection: accounts.change(connection, account_id, columns)):
        raise NotFound(f"there is no user {account_id}")
    gate.forget()


def _check_not_self(caller: Caller, account_id: str) -> None:
    if account_id == caller.account_id:
        raise BadState("an admin can't stop or demote their own account; ask another admin")
