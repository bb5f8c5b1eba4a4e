"""Shapes of /v1/auth."""

from api.shapes.base import Int64Text, Shape


class AccessTokenRequest(Shape):
    """An API key to exchange."""

    api_key: str


class AccessTokenResponse(Shape):
    """An access token for the Authorization header; `expires_in` is seconds."""

    token: str
    expires_in: Int64Text
    scope: str = ""
