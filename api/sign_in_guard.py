"""Slows down who guesses: an address that fails to sign in too often, or asks for too many codes, has to wait."""

from collections import Counter
from enum import Enum

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.limiter import Limiter, party_of
from gridloom.errors import TooMany


class _Counted(Enum):
    """Which calls of a route count."""

    ALL = 1
    FAILED = 2
    GUESSES = (
        3  #: failed ones; and few may run at once, or a burst would be through before the first one failed
    )


_COUNTED = {
    ("POST", "/v1/auth/access_token"): _Counted.FAILED,
    ("POST", "/v1/auth/signin"): _Counted.GUESSES,
    ("POST", "/v1/auth/otp"): _Counted.ALL,
    ("POST", "/v1/auth/signup"): _Counted.ALL,
    ("PATCH", "/v1/auth/user"): _Counted.GUESSES,
    ("POST", "/v1/auth/oauth2/authorize"): _Counted.GUESSES,
    ("POST", "/v1/auth/oauth2/token"): _Counted.FAILED,
    ("GET", "/v1/auth/oauth2/device"): _Counted.GUESSES,
    ("POST", "/v1/auth/oauth2/device"): _Counted.GUESSES,
    ("POST", "/v1/auth/oauth2/device_authorization"): _Counted.ALL,
    ("GET", "/v1/auth/oidc/callback"): _Counted.FAILED,
}
_FAILURES = frozenset({400, 401, 403})
_AT_ONCE = 8


class SignInGuard:
    """Plain ASGI before the routes, so that a guess that is refused costs nothing."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app, self._limiter = app, limiter
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        counted = _COUNTED.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if counted is None:
            await self._app(scope, receive, send)
            return
        party = party_of((scope.get("client") or ("",))[0])
        try:
            self._enter(counted, party)
        except TooMany as error:
            await errors.refusal(scope["state"]["request_id"], error)(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            failed = message["type"] == "http.response.start" and message["status"] in _FAILURES
            if failed and counted is not _Counted.ALL:
                self._note(party)
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            if counted is _Counted.GUESSES:
                self._leave(party)

    def _enter(self, counted: _Counted, party: str) -> None:
        if counted is _Counted.ALL:
            self._limiter.count(party)
            return
        self._limiter.check(party)
        if counted is _Counted.GUESSES:
            if self._under_way[party] >= _AT_ONCE:
                raise TooMany("too many sign-ins at once; try again in a second", retry_after_s=1)
            self._under_way[party] += 1

    def _leave(self, party: str) -> None:
        self._under_way[party] -= 1
        if not self._under_way[party]:
            del self._under_way[party]

    def _note(self, party: str) -> None:
        try:
            self._limiter.count(party)
        except TooMany:
            return  # the next call is refused
