"""/info, /docs/ and /docs/swagger.json of every public API."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from api.deps import CallerDep
from api.json_route import JsonRoute
from api.protobuf import PROTO_FILE
from api.shapes.base import InfoResponse, Version
from api.specification import specification
from gridloom.version import VERSION


@dataclass(frozen=True, slots=True)
class PublicApi:
    """One of the public APIs: what it is called and the routers it is made of."""

    title: str
    routers: tuple[APIRouter, ...]


info_router = APIRouter(route_class=JsonRoute, tags=["Meta"])


@info_router.get("/info")
async def info(_: CallerDep) -> InfoResponse:
    """Tell the server's version."""
    major, minor, patch = (int(part) for part in VERSION.split(".")[:3])
    return InfoResponse(version=Version(major=major, minor=minor, tag=patch))


def docs_router(prefix: str, api: PublicApi) -> APIRouter:
    """Return the routes that describe `api`, which need no token."""
    router = APIRouter(include_in_schema=False)
    routes = [route for part in (*api.routers, info_router) for route in part.routes]

    @functools.cache
    def described() -> dict[str, Any]:
        return specification(api.title, prefix, routes)

    @router.get("/docs/swagger.json")
    def swagger() -> JSONResponse:
        return JSONResponse(described())

    @router.get("/docs/gridloom.proto")
    def messages() -> PlainTextResponse:
        return PlainTextResponse(PROTO_FILE.read_text())

    @router.get("/docs")
    @router.get("/docs/")
    def browser() -> HTMLResponse:
        return HTMLResponse(_page(api.title, prefix, described()))

    return router


def _page(title: str, prefix: str, specification: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(method.upper())}</td><td><code>{escape(prefix + path)}</code></td>"
        f"<td>{escape(operation.get('description') or operation.get('summary', ''))}</td></tr>"
        for path, operations in specification["paths"].items()
        for method, operation in operations.items()
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        "<style>body{font:16px sans-serif;margin:2em}td{padding:.3em 1em .3em 0;vertical-align:top}</style>"
        f"<h1>{escape(title)}</h1><p><a href='{prefix}/docs/swagger.json'>swagger.json</a> <a href='{prefix}/docs/gridloom.proto'>gridloom.proto</a></p><table>{rows}</table></html>"
    )
