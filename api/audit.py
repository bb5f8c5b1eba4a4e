"""Writes a row of the audit log for each public call that changes something, before its answer goes out."""

from datetime import UTC, datetime
from typing import Any

import structlog
from anyio.to_thread import run_sync
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limiter import Limiter, party_of
from gridloom.errors import GridloomError, TooMany
from storage.repositories import audit

log = structlog.get_logger()

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_STRANGERS_RATE = (
    "100/minute"  #: rows that an address gets without an account: nobody may fill the disk unasked
)
_SECRET_PARTS = frozenset({"token"})  # signed links are credentials
READS = frozenset(
    {
        "/access_token",
        "/datasource/info",
        "/datasource/test",
        "/jobs/datasource/info",
        "/jobs/filter",
        "/jobs/runningTasks",
        "/logs",
        "/transactions/filter",
    }
)
"""POST routes that change nothing, without the prefix of their API; a refused key exchange is written all the same."""


class AuditTrail:
    """Plain ASGI, inside the error handlers' reach, so that it sees the status that the client sees."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._strangers = Limiter("", _STRANGERS_RATE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in _CHANGING:
            await self._app(scope, receive, send)
            return

        async def written(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._write(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, written)
        except Exception:
            await self._write(scope, 500)
            raise

    async def _write(self, scope: Scope, status: int) -> None:
        if not _counts(scope, status):
            return
        row = _row(scope, status)
        if row["account_id"] is None and not self._has_room(row["address"]):
            log.info("audit_row_left_out", route=row["route"], address=row["address"], status=status)
            return
        context = scope["app"].state.context
        try:
            await run_sync(context.writer.run, lambda connection: audit.add(connection, row))
        except (GridloomError, SQLAlchemyError) as error:
            log.error("audit_row_lost", error=str(error), **row)

    def _has_room(self, address: str) -> bool:
        try:
            self._strangers.count(party_of(address))
        except TooMany:
            return False
        return True


def _counts(scope: Scope, status: int) -> bool:
    path = _path(scope)
    if not path or path.startswith("/internal/"):
        return False
    return path not in READS or (status == 401 and path == "/access_token")


def _path(scope: Scope) -> str:
    """Return the path of the route that was found, within its API; empty when there was none."""
    return str(getattr(scope.get("route"), "path_format", ""))


def _route(scope: Scope) -> str:
    """Return the whole path of the route that was found, with the names of its parameters."""
    parts = scope["path"].split("/")
    return ("/".join(parts[:3]) if parts[1] == "v1" else "") + _path(scope)


def _row(scope: Scope, status: int) -> dict[str, Any]:
    state = scope.get("state", {})
    caller = state.get("caller")
    acting = (caller.account_id, caller.credential_id) if caller else state.get("acting", (None, None))
    resource = {
        name: str(value)[:200] for name, value in scope["path_params"].items() if name not in _SECRET_PARTS
    }
    return {
        "at": datetime.now(UTC),
        "account_id": acting[0],
        "credential_id": acting[1],
        "address": (scope.get("client") or ("",))[0][:64],
        "request_id": state.get("request_id", ""),
        "method": scope["method"],
        "route": _route(scope)[:200],
        "resource": resource,
        "status": status,
    }
