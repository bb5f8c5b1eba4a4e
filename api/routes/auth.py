"""/v1/auth: access tokens. API keys, secrets, profile and sign-in are not built yet."""

from fastapi import APIRouter, Request

from api.json_route import JsonRoute
from api.shapes.auth import AccessTokenRequest, AccessTokenResponse
from api.tokens import LIFETIME_S, TokenGate

router = APIRouter(route_class=JsonRoute, tags=["Access Token"])


@router.post("/access_token")
def get_access_token(request: Request, body: AccessTokenRequest) -> AccessTokenResponse:
    """Exchange an API key for an access token."""
    gate: TokenGate = request.app.state.gate
    return AccessTokenResponse(token=gate.exchange(body.api_key), expires_in=LIFETIME_S)
