"""Learns from the proxy in front who calls, and whether over TLS; used where `behind_proxy` says that there is one.

uvicorn's own, told to trust every peer, believes the first address of X-Forwarded-For, which is whatever the client
wrote there: who guesses would be somebody else at each try.
"""

from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

_SCHEMES = frozenset({"http", "https"})


class BehindProxy:
    """Plain ASGI around everything else; the last entry of a header is the one that the proxy itself wrote."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            address, scheme = _last(scope, b"x-forwarded-for"), _last(scope, b"x-forwarded-proto").lower()
            scope = dict(scope)
            if _is_address(address):
                scope["client"] = (address, 0)
            if scheme in _SCHEMES:
                scope["scheme"] = scheme
        await self._app(scope, receive, send)


def _last(scope: Scope, name: bytes) -> str:
    values = [value for key, value in scope["headers"] if key == name]
    return str(values[-1].decode("latin-1")).rpartition(",")[2].strip() if values else ""


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
