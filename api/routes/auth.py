"""/access_token, /signout and /skip: what clients do with access tokens."""

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api import browser_sessions
from api.deps import CallerDep, ContextDep, GateDep, RequestIdDep, gate_of
from api.json_route import JsonRoute
from api.links import LinksDep
from api.shapes.auth import AccessTokenRequest, AccessTokenResponse, SignOutRequest, SkipResponse
from api.shapes.base import GenericResponse
from api.short_reads import run_short
from api.tokens import LIFETIME_S
from storage.repositories import credentials, sessions

router = APIRouter(route_class=JsonRoute, tags=["Access Token"])


@router.post("/access_token")
async def get_access_token(request: Request, body: AccessTokenRequest) -> AccessTokenResponse:
    """Exchange an API key for an access token."""
    gate = gate_of(request)
    token = await run_short(gate.database, gate.exchange, body.api_key)
    return AccessTokenResponse(token=token, expires_in=LIFETIME_S)


@router.post("/signout")
def sign_out(
    request: Request,
    response: Response,
    context: ContextDep,
    gate: GateDep,
    caller: CallerDep,
    request_id: RequestIdDep,
    _: SignOutRequest | None = None,
) -> GenericResponse:
    """End the access token, and the session that it came from."""
    browser = browser_sessions.of_request(context, request)

    def end(connection: Connection) -> None:
        credentials.end_token(connection, caller.token_id, caller.expires_at)
        for session_id in (caller.session_id, browser.id if browser is not None else ""):
            if session_id:
                sessions.revoke(connection, session_id)

    context.writer.run(end)
    gate.forget()
    response.delete_cookie(browser_sessions.COOKIE, path=browser_sessions.PATH)
    return GenericResponse(request_id=request_id, message="signed out")


@router.get("/skip")
async def skip(_: CallerDep, links: LinksDep) -> SkipResponse:
    """Tell whether sign-in can be skipped: with a token that is good it can."""
    return SkipResponse(skip=True, redirect_to=f"{links.base}/")
