"""/oauth2: how the command line signs in, through a browser on the same machine or, with a code, on any other."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.routing import APIRoute

from api import browser_sessions, oauth
from api.context import Context
from api.deps import ContextDep, GateDep
from api.links import LinksDep
from api.oauth import OAuthError
from api.oauth_pages import Pages
from api.registration import read_email
from api.shapes.oauth import (
    AuthorizeForm,
    AuthorizeRequest,
    DeviceForm,
    DeviceRequest,
    DeviceResponse,
    OAuthErrorResponse,
    OAuthTokenResponse,
    SignInForm,
    TokenRequest,
)
from api.tokens import LIFETIME_S
from gridloom.errors import GridloomError
from storage.columns import AnyRow
from storage.repositories import oauth_codes

_NO_STORE = {"Cache-Control": "no-store"}
_DEVICE_PATH = f"{browser_sessions.PATH}/oauth2/device"
_SENT = "If there is an account with this e-mail, a code is on its way."


class OAuthRoute(APIRoute):
    """A route whose errors have the body of RFC 6749, section 5.2."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler, with errors rendered."""
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except OAuthError as error:
                found = error
            except RequestValidationError as error:
                first = error.errors()[0]
                found = OAuthError("invalid_request", f"{first['loc'][-1]}: {first['msg']}")
            body = {"error": found.error, "error_description": found.description}
            return JSONResponse(body, 401 if found.error == "invalid_client" else 400, _NO_STORE)

        return handled


router = APIRouter(route_class=OAuthRoute, tags=["Sign-in"])


# Clients get the words of RFC 6749; what a user does wrong is said on the page.
_REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": OAuthErrorResponse} for code in (400, 401)}
_WHY_NOT = {"text/html": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}}
_PAGES: dict[int | str, dict[str, Any]] = {
    code: {"description": "Why not, as a page or in the words of RFC 6749.", "content": _WHY_NOT}
    for code in (400, 401, 403, 404)
}


@router.get("/oauth2/authorize", response_class=HTMLResponse, responses=_PAGES)
def authorize(request: Request, context: ContextDep, asked: Annotated[AuthorizeRequest, Query()]) -> Response:
    """Show the sign-in page, or ask who is signed in: any program may open this page (RFC 8252, 8.6)."""
    pages, refusal = _pages(context, request, asked)
    if refusal is not None:
        return refusal
    session = browser_sessions.of_request(context, request)
    if session is None:
        return pages.sign_in(_members(asked), _again(asked))
    return pages.consent(_members(asked), session.user_name, oauth.CLIENTS[asked.client_id])


@router.post("/oauth2/authorize", response_class=HTMLResponse, responses=_PAGES)
def authorize_form(request: Request, context: ContextDep, form: Annotated[AuthorizeForm, Form()]) -> Response:
    """Take the form of the page: sign in, send a code, allow or deny."""
    pages, refusal = _pages(context, request, form)
    refusal = refusal or pages.refusal(form.form_token)
    if refusal is not None:
        return refusal
    if form.action == "deny":
        return _back(form, {"error": "access_denied"})
    if form.action == "allow":
        session = browser_sessions.of_request(context, request)
        if session is not None:
            return _with_code(context, form, session.account_id)
        return pages.sign_in(_members(form), _again(form))
    outcome = _sign_in(context, form, pages, _members(form), _again(form))
    if isinstance(outcome, Response):
        return outcome
    answer = _with_code(context, form, outcome.account_id)
    browser_sessions.set_cookie(request, answer, outcome)
    return answer


@router.post("/oauth2/token", responses=_REFUSED)
def exchange(
    request: Request,
    response: Response,
    context: ContextDep,
    gate: GateDep,
    form: Annotated[TokenRequest, Form()],
) -> OAuthTokenResponse:
    """Exchange an authorization code, a refresh token or a device code for an access token."""
    try:
        grant = oauth.redeem(context, form)
    except OAuthError as error:
        if error.error == "invalid_grant":
            gate.forget()  # it may have ended a stolen session
        raise
    request.state.acting = (grant.account_id, grant.session_id)
    response.headers.update(_NO_STORE)
    return OAuthTokenResponse(
        access_token=gate.issue(grant.account_id, grant.session_id),
        expires_in=LIFETIME_S,
        refresh_token=grant.refresh_token,
    )


@router.post("/oauth2/device_authorization", responses=_REFUSED)
def start_device(
    response: Response, context: ContextDep, links: LinksDep, form: Annotated[DeviceRequest, Form()]
) -> DeviceResponse:
    """Give a device without a browser a code that its user confirms elsewhere."""
    device_code, user_code = oauth.start_device(context, form.client_id)
    page = f"{links.base}{_DEVICE_PATH}"
    response.headers.update(_NO_STORE)
    return DeviceResponse(
        device_code=device_code,
        user_code=user_code,
        verification_uri=page,
        verification_uri_complete=f"{page}?{urlencode({'user_code': user_code})}",
        expires_in=int(oauth.DEVICE_LIFE.total_seconds()),
        interval=oauth.POLL_INTERVAL_S,
    )


@router.get("/oauth2/device", response_class=HTMLResponse, responses=_PAGES)
def device(
    request: Request, context: ContextDep, user_code: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Show the page on which a user lets a device in."""
    pages, session = Pages(context, request), browser_sessions.of_request(context, request)
    if session is None:
        return pages.sign_in({"user_code": user_code}, _device_page(user_code))
    return _ask_about_device(context, pages, session, user_code)


@router.post("/oauth2/device", response_class=HTMLResponse, responses=_PAGES)
def device_form(request: Request, context: ContextDep, form: Annotated[DeviceForm, Form()]) -> Response:
    """Take the form of the page: sign in, send a code, look a device's code up, allow or deny."""
    pages, session = Pages(context, request), browser_sessions.of_request(context, request)
    refusal = pages.refusal(form.form_token)
    if refusal is not None:
        return refusal
    page = _device_page(form.user_code)
    if form.action in ("sign_in", "send_code") or session is None:
        outcome = _sign_in(context, form, pages, {"user_code": form.user_code}, page)
        if isinstance(outcome, Response):
            return outcome
        answer = RedirectResponse(page, 303, _NO_STORE)
        browser_sessions.set_cookie(request, answer, outcome)
        return answer
    if form.action not in ("allow", "deny"):
        return _ask_about_device(context, pages, session, form.user_code)
    allow, letters = form.action == "allow", oauth.read_user_code(form.user_code)
    if not context.writer.run(lambda it: oauth_codes.decide(it, letters, session.account_id, allow=allow)):
        return pages.ask_user_code("", notice="This code is unknown or has expired.", status=400)
    return pages.message("Done", "The device is signed in." if allow else "The device was refused.")


def _pages(context: Context, request: Request, asked: AuthorizeRequest) -> tuple[Pages, Response | None]:
    try:
        pages = Pages(context, request, leads_to=oauth.redirect_origin(asked))
    except OAuthError as error:
        pages = Pages(context, request)
        return pages, pages.message("This sign-in can't go on", error.description, 400)
    try:
        oauth.check_request(asked)
    except OAuthError as error:
        return pages, _back(asked, {"error": error.error, "error_description": error.description})
    return pages, None


def _sign_in(
    context: Context, form: SignInForm, pages: Pages, hidden: dict[str, str], again: str
) -> browser_sessions.BrowserSession | Response:
    try:
        email = read_email(form.email)
        if form.action == "send_code":
            context.codes.request(email, "login")
            return pages.sign_in(hidden, again, notice=_SENT, email=email)
        account = browser_sessions.check(context, email, form.password, form.code)
        return browser_sessions.begin(context, account.id)
    except GridloomError as error:
        return pages.sign_in(hidden, again, notice=error.message, email=form.email, status=error.status)


def _ask_about_device(context: Context, pages: Pages, session: AnyRow, user_code: str) -> Response:
    if not user_code:
        return pages.ask_user_code("")
    letters = oauth.read_user_code(user_code)
    with context.database.read() as connection:
        row = oauth_codes.waiting(connection, letters)
    if row is None:
        notice = "This code is unknown or has expired."
        return pages.ask_user_code(user_code, notice=notice, status=400)
    shown = f"{letters[:4]}-{letters[4:]}"
    what = f"{oauth.CLIENTS[row.client_id]} on the device that shows {shown}"
    return pages.consent({"user_code": shown}, session.user_name, what)


def _with_code(context: Context, asked: AuthorizeRequest, account_id: str) -> Response:
    return _back(asked, {"code": oauth.grant_code(context, asked, account_id)})


def _back(asked: AuthorizeRequest, members: dict[str, str]) -> Response:
    query = urlencode(members | ({"state": asked.state} if asked.state else {}))
    return RedirectResponse(f"{asked.redirect_uri}?{query}", 302, _NO_STORE)


def _members(asked: AuthorizeRequest) -> dict[str, str]:
    return {name: getattr(asked, name) for name in AuthorizeRequest.model_fields}


def _again(asked: AuthorizeRequest) -> str:
    return f"{browser_sessions.PATH}/oauth2/authorize?{urlencode(_members(asked))}"


def _device_page(user_code: str) -> str:
    return f"{_DEVICE_PATH}?{urlencode({'user_code': user_code})}" if user_code else _DEVICE_PATH
