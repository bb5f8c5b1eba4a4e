"""/signup, /signin and /otp: accounts are made, and users come in without an API key."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from api import browser_sessions, passwords
from api.codes import Purpose
from api.context import Context
from api.deps import ContextDep, GateDep, RequestIdDep
from api.json_route import JsonRoute
from api.registration import read_email, read_user_name, register
from api.shapes.accounts import UserResponse
from api.shapes.auth import AccessTokenResponse, OtpRequest, SignInRequest, SignUpRequest
from api.shapes.base import GenericResponse
from api.tokens import LIFETIME_S, TokenGate
from api.user_view import user_of
from gridloom.errors import BadInput, Forbidden
from gridloom.settings import Settings
from storage.repositories import accounts

router = APIRouter(route_class=JsonRoute, tags=["Sign-in"])


@router.post("/signup")
def sign_up(context: ContextDep, body: SignUpRequest) -> UserResponse:
    """Make an account: with the operator's access code, or without where sign-up is open to everyone."""
    _check_access_code(context.settings, body.access_code)
    email = read_email(body.email)
    user_name = read_user_name(body.user_name) if body.user_name.strip() else ""
    columns = {
        "email": email,
        "password_hash": passwords.hashed_new(body.password) if body.password else None,
        "first_name": body.first_name,
        "last_name": body.last_name,
        "contact_info": body.contact_info.model_dump(),
    }
    row = register(context, user_name, columns)
    return UserResponse(user=user_of(row))


@router.post("/signin")
def sign_in(
    request: Request,
    response: Response,
    context: ContextDep,
    gate: GateDep,
    body: SignInRequest,
    sec_fetch_site: Annotated[str, Header(include_in_schema=False)] = "",
) -> AccessTokenResponse:
    """Sign in with a password or an e-mailed code, and get an access token."""
    account = browser_sessions.check(context, read_email(body.email), body.password, body.otp)
    session = browser_sessions.begin(context, account.id)
    if sec_fetch_site == "same-origin":  # another page must not sign this browser in as someone else
        browser_sessions.set_cookie(request, response, session)
    request.state.acting = (account.id, session.id)
    return AccessTokenResponse(token=gate.issue(account.id, session.id), expires_in=LIFETIME_S)


@router.post("/otp")
def request_otp(
    context: ContextDep,
    gate: GateDep,
    request_id: RequestIdDep,
    body: OtpRequest,
    authorization: Annotated[str, Header(include_in_schema=False)] = "",
) -> GenericResponse:
    """Send a one-time code by e-mail; the answer is the same whether or not there is such an account."""
    email = read_email(body.email) if body.email.strip() else _own_email(context, gate, authorization)
    usual: Purpose = "login" if body.email.strip() else "api_key"
    purpose: Purpose = "login" if body.purpose == "signup" else body.purpose or usual
    context.codes.request(email, purpose)
    return GenericResponse(request_id=request_id, message="if there is an account, a code is on its way")


def _check_access_code(settings: Settings, given: str) -> None:
    if settings.open_signup:
        return
    wanted = settings.access_code.get_secret_value()
    if not wanted:
        raise Forbidden("this fabric takes no sign-ups; ask its operator for an account")
    if not hmac.compare_digest(given.strip().encode(), wanted.encode()):
        raise Forbidden("the access code is wrong; ask this fabric's operator for it")


def _own_email(context: Context, gate: TokenGate, authorization: str) -> str:
    if not authorization:
        raise BadInput("give the e-mail that the code goes to, or a token", field="email")
    caller = gate.caller(authorization)
    with context.database.read() as connection:
        account = accounts.by_id(connection, caller.account_id)
    if account is None or not account.email:
        raise BadInput("your account has no e-mail", field="email")
    return str(account.email)
