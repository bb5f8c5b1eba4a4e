"""Slows down who guesses: an address that fails to sign in too often, or asks for too many codes, has to wait."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.limiter import Limiter
from gridloom.errors import TooMany

_EVERY_CALL_COUNTS = {
    "/v1/auth/access_token": False,
    "/v1/auth/signin": False,
    "/v1/auth/otp": True,
    "/v1/auth/signup": True,
    "/v1/auth/oauth2/authorize": False,
    "/v1/auth/oauth2/token": False,
    "/v1/auth/oauth2/device": False,
    "/v1/auth/oauth2/device_authorization": True,
}
_FAILURES = frozenset({400, 401, 403})


class SignInGuard:
    """Plain ASGI before the routes, so that a guess that is refused costs nothing."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app, self._limiter = app, limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        every = _EVERY_CALL_COUNTS.get(scope["path"]) if scope["type"] == "http" else None
        if every is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        try:
            if every:
                self._limiter.count(address)
            else:
                self._limiter.check(address)
        except TooMany as error:
            await errors.refusal(scope["state"]["request_id"], error)(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and not every and message["status"] in _FAILURES:
                self._note(address)
            await send(message)

        await self._app(scope, receive, counted)

    def _note(self, address: str) -> None:
        try:
            self._limiter.count(address)
        except TooMany:
            return  # the next call is refused
