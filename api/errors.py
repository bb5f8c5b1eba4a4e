"""Renders every error as the one body that clients know, and gives each request an id."""

import os
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.shapes.base import ErrorBody, ErrorDetail
from gridloom.errors import BadInput, GridloomError, TooMany

log = structlog.get_logger()

_GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 413: 8, 429: 8, 500: 13, 503: 14}
_UNKNOWN = 2
_RETRY_AFTER_S = 1


def install(app: FastAPI) -> None:
    """Make `app` render every failure with the common body, and send X-Request-Id with every answer."""
    app.add_exception_handler(GridloomError, _on_fabric_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    for away in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(away, _on_database_away)
    app.add_middleware(RequestGuard)


class RequestGuard:
    """Names each request, and answers 500 for what nobody expected; plain ASGI, so bodies stream through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started = os.urandom(16).hex(), False
        scope.setdefault("state", {})["request_id"] = request_id

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        if _holds_nul(scope):
            await render(request_id, 400, "the URL holds a NUL character, which nothing here is named with")(
                scope, receive, named
            )
            return
        try:
            await self._app(scope, receive, named)
        except ClientDisconnect:
            log.info("client_left", request=request_id, method=scope["method"], path=_loggable(scope["path"]))
        except Exception:
            log.exception(
                "request_failed", request=request_id, method=scope["method"], path=_loggable(scope["path"])
            )
            if not started:
                answer = render(request_id, 500, "the server failed; its log has the details")
                await answer(scope, receive, named)


def render(request_id: str, status: int, message: str, field: str = "") -> JSONResponse:
    """Return the common error body; `field` names the member of the request at fault."""
    violation = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": field, "description": message}],
    }
    body = ErrorBody(
        request_id=request_id,
        message=message,
        error=ErrorDetail(
            code=status,
            message=HTTPStatus(status).phrase,
            description=f"{field}: {message}" if field and not message.startswith(field) else message,
        ),
        code=_GRPC_CODES.get(status, _UNKNOWN),
        details=[violation] if field else [],
    )
    headers = {"Retry-After": str(_RETRY_AFTER_S)} if status == 503 else None
    return JSONResponse(body.model_dump(by_alias=True), status, headers)


def refusal(request_id: str, error: GridloomError) -> JSONResponse:
    """Return the answer that an error of ours stands for."""
    field = error.field if isinstance(error, BadInput) else ""
    answer = render(request_id, error.status, error.message, field)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def request_id_of(request: Request) -> str:
    """Return the id that was given to this request."""
    return str(request.state.request_id)


def _holds_nul(scope: Scope) -> bool:
    """Tell whether a URL asks for what PostgreSQL would not even take as a question."""
    return "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]


def _loggable(path: str) -> str:
    """Return a path as it may stand in a log: signed links are credentials."""
    return f"{path[: path.rindex('/')]}/…" if path.startswith("/files/") else path


async def _on_fabric_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GridloomError)
    if error.status >= 500:
        log.warning(
            "request_refused",
            request=request_id_of(request),
            path=_loggable(request.url.path),
            error=str(error),
        )
    return refusal(request_id_of(request), error)


async def _on_database_away(request: Request, error: Exception) -> JSONResponse:
    log.error(
        "database_away", request=request_id_of(request), path=_loggable(request.url.path), error=str(error)
    )
    return render(request_id_of(request), 503, "the database can't be used now; try again")


async def _on_bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return render(request_id_of(request), 400, f"the body is not JSON: {first['ctx']['error']}")
    field = _field_of(first["loc"])
    message = f"{field or 'the body'}: {first['msg'].removeprefix('Value error, ')}"
    return render(request_id_of(request), 400, message, field)


def _field_of(loc: Sequence[Any]) -> str:
    place, *members = loc or ("",)
    return ".".join(str(part) for part in (members if place in ("body", "query", "path", "header") else loc))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    messages = {
        404: f"there is no {request.method} {request.url.path}",
        405: f"{request.url.path} does not take {request.method}",
        413: "the body is larger than this server takes (GRIDLOOM_MAX_BODY_MIB)",
    }
    answer = render(
        request_id_of(request), error.status_code, messages.get(error.status_code, str(error.detail))
    )
    answer.headers.update(error.headers or {})
    return answer
