"""/oidc: optional sign-in by an OpenID Connect provider."""

import hmac
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api import browser_sessions, oidc
from api.context import Context
from api.deps import ContextDep
from api.links import LinksDep
from api.oauth_pages import Pages
from api.tokens import derive_key
from gridloom.errors import GridloomError, Unauthorized

log = structlog.get_logger()

router = APIRouter(tags=["Sign-in"], include_in_schema=False)  # for browsers, not for clients

_COOKIE = "gridloom_oidc"
_PATH = f"{browser_sessions.PATH}/oidc"
_LIFE = timedelta(minutes=10)
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")  #: of this fabric: never //host, nor a backslash


@router.get("/oidc/login", status_code=302, response_class=RedirectResponse)
def oidc_login(
    request: Request,
    context: ContextDep,
    links: LinksDep,
    next_path: Annotated[str, Query(alias="next", max_length=8000)] = "/",
) -> Response:
    """Lead the browser to the OpenID provider; `next` is the path of this fabric that it comes back to."""
    attempt = oidc.Attempt.new()
    try:
        url = oidc.Provider(context.settings).login_url(attempt, f"{links.base}{_PATH}/callback")
    except GridloomError as error:
        return _failed(context, request, error)
    own = next_path if _OWN_PATH.fullmatch(next_path) else "/"
    kept = asdict(attempt) | {"next": own, "exp": datetime.now(UTC) + _LIFE}
    answer = RedirectResponse(url, 302, {"Cache-Control": "no-store"})
    answer.set_cookie(
        _COOKIE,
        jwt.encode(kept, _key(context), algorithm="HS256"),
        max_age=int(_LIFE.total_seconds()),
        path=_PATH,
        httponly=True,
        samesite="lax",  # the provider leads back here from its own page
        secure=browser_sessions.is_secure(request),
    )
    return answer


@router.get("/oidc/callback", status_code=302, response_class=HTMLResponse)
def oidc_callback(
    request: Request,
    context: ContextDep,
    links: LinksDep,
    code: Annotated[str, Query(max_length=4000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Sign the browser in as who the provider says it is."""
    try:
        provider = oidc.Provider(context.settings)
        attempt, next_path = _kept(context, request, state)
        claims = provider.claims(code, attempt, f"{links.base}{_PATH}/callback")
        account = oidc.account_of(context, provider.issuer, claims)
    except GridloomError as error:
        return _failed(context, request, error)
    answer = RedirectResponse(next_path, 302, {"Cache-Control": "no-store"})
    browser_sessions.set_cookie(request, answer, browser_sessions.begin(context, account.id))
    answer.delete_cookie(_COOKIE, path=_PATH)
    return answer


def _kept(context: Context, request: Request, state: str) -> tuple[oidc.Attempt, str]:
    try:
        kept = jwt.decode(request.cookies.get(_COOKIE, ""), _key(context), algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise Unauthorized("this sign-in took too long or began elsewhere; start again") from None
    attempt = oidc.Attempt(state=kept["state"], nonce=kept["nonce"], verifier=kept["verifier"])
    if not hmac.compare_digest(state.encode(), attempt.state.encode()):
        raise Unauthorized("this sign-in began elsewhere; start again")
    return attempt, kept["next"]


def _key(context: Context) -> bytes:
    return derive_key(context.settings.secret_key.get_secret_value(), "gridloom oidc")


def _failed(context: Context, request: Request, error: GridloomError) -> Response:
    log.info("oidc_failed", error=error.message)
    return Pages(context, request).message("You are not signed in", error.message, error.status)
