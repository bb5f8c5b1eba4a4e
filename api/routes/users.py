"""/user: the caller reads and changes their profile."""

import json
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from api.context import Context
from api.deps import CallerDep, ContextDep, GateDep
from api.json_route import JsonRoute
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
    with context.database.read() as connection:
        row = accounts.by_id(connection, caller.account_id)
    return _answer(row)


@router.patch("/user")
def update_user(
    context: ContextDep, caller: CallerDep, gate: GateDep, body: UpdateUserRequest
) -> UserResponse:
    """Change the members that are given."""
    columns = body.model_dump(exclude_none=True)
    if body.user_name is not None:
        columns["user_name"] = read_user_name(body.user_name)
    if body.contact_info is not None:
        columns["contact_info"] = body.contact_info.model_dump(exclude_unset=True)
    if body.onboarding_info is not None:
        if len(json.dumps(columns["onboarding_info"])) > _MOST_ONBOARDING_CHARS:
            raise BadInput("onboardingInfo is too long", field="onboardingInfo")
        columns["is_onboarded"] = True
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
        if "contact_info" in columns:
            values = columns | {"contact_info": row.contact_info | columns["contact_info"]}
        else:
            values = columns
        if values:
            accounts.change(connection, caller.account_id, values)
        return accounts.by_id(connection, caller.account_id)

    try:
        row = context.writer.run(change)
    except IntegrityError:  # another process was faster between the look and the change
        raise BadInput("the user name is taken", field="userName") from None
    if "user_name" in columns:
        gate.forget()
    return _answer(row)


def _answer(row: Account | None) -> UserResponse:
    if row is None:
        raise Unauthorized("the account is gone")
    return UserResponse(user=user_of(row))
