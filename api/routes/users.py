"""/user: the caller reads and changes their profile."""

import json
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from api.context import Context
from api.deps import CallerDep, ContextDep, GateDep
from api.json_route import JsonRoute
from api.password_change import new_hash
from api.registration import check_free, read_user_name
from api.shapes.accounts import UpdateUserRequest, UserNameRequest, UserResponse
from api.tokens import Caller, TokenGate
from api.user_view import user_of
from gridloom.errors import BadInput, Unauthorized
from storage.repositories import accounts
from storage.repositories.accounts import Account

router = APIRouter(route_class=JsonRoute, tags=["User"])

_MOST_ONBOARDING_CHARS = 16_384


@router.get("/user")
def get_user(context: ContextDep, caller: CallerDep) -> UserResponse:
    """Read the caller's profile."""
    return _answer(_own(context, caller))


@router.patch("/user")
def update_user(
    context: ContextDep, caller: CallerDep, gate: GateDep, body: UpdateUserRequest
) -> UserResponse:
    """Change the members that are given; a new password ends all other sessions."""
    columns = body.model_dump(exclude_none=True, exclude={"password", "current_password", "otp"})
    if body.user_name is not None:
        columns["user_name"] = read_user_name(body.user_name)
    if body.contact_info is not None:
        columns["contact_info"] = body.contact_info.model_dump(exclude_unset=True)
    if body.onboarding_info is not None:
        if len(json.dumps(columns["onboarding_info"])) > _MOST_ONBOARDING_CHARS:
            raise BadInput("onboardingInfo is too long", field="onboardingInfo")
        columns["is_onboarded"] = True
    if body.password is not None:
        columns["password_hash"] = new_hash(context, _own(context, caller), body)
    return _changed(context, gate, caller, columns)


@router.post("/user/username")
def create_user_name(
    context: ContextDep, caller: CallerDep, gate: GateDep, body: UserNameRequest
) -> UserResponse:
    """Set the caller's user name, which is theirs alone."""
    return _changed(context, gate, caller, {"user_name": read_user_name(body.user_name)})


def _changed(context: Context, gate: TokenGate, caller: Caller, columns: dict[str, Any]) -> UserResponse:
    def change(connection: Connection) -> Account | None:
        row = accounts.by_id(connection, caller.account_id)
        if row is None:
            return None
        if "user_name" in columns:
            check_free(connection, columns["user_name"], caller.account_id)
        _set(connection, caller, row, columns)
        return accounts.by_id(connection, caller.account_id)

    try:
        row = context.writer.run(change)
    except IntegrityError:  # another process was faster between the look and the change
        raise BadInput("the user name is taken", field="userName") from None
    if columns.keys() & {"user_name", "password_hash"}:
        gate.forget()
    return _answer(row)


def _set(connection: Connection, caller: Caller, row: Account, columns: dict[str, Any]) -> None:
    values = dict(columns)
    if "contact_info" in values:
        values["contact_info"] = row.contact_info | values["contact_info"]
    if values:
        accounts.change(connection, row.id, values)
    if "password_hash" in values:
        accounts.end_sign_ins(connection, row.id, but=caller.session_id)


def _own(context: Context, caller: Caller) -> Account:
    with context.database.read() as connection:
        row = accounts.by_id(connection, caller.account_id)
    if row is None:
        raise Unauthorized("the account is gone")
    return row


def _answer(row: Account | None) -> UserResponse:
    if row is None:
        raise Unauthorized("the account is gone")
    return UserResponse(user=user_of(row))
