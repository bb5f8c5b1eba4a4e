"""The OpenAPI document of a public API: what FastAPI knows of the routes, with the errors and media types they share."""

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic.alias_generators import to_camel
from starlette.routing import BaseRoute

from api.protobuf import MEDIA_TYPE
from api.shapes.base import ErrorBody, RpcStatus
from gridloom.version import VERSION

_JSON = "application/json"
_ERRORS = {
    "400": "Malformed or refused input; the message names the member.",
    "401": "No valid access token.",
    "403": "The caller may not do this.",
    "404": "No such resource, or not the caller's.",
    "429": "Too many calls; Retry-After tells when to come back.",
    "500": "The server failed.",
    "503": "Not available now.",
    "default": "Any other failure.",
}


def specification(title: str, prefix: str, routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Return the OpenAPI document of `routes`, which lie below `prefix`."""
    document = get_openapi(title=title, version=VERSION, routes=routes, servers=[{"url": prefix}])
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for shape in (ErrorBody, RpcStatus):
        made = shape.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        schemas.update(made.pop("$defs", {}))
        schemas[shape.__name__] = made
    document["paths"] = {
        _camel_path(path): {method: _completed(it) for method, it in operations.items()}
        for path, operations in document["paths"].items()
    }
    return document


def _completed(operation: dict[str, Any]) -> dict[str, Any]:
    """Add what all operations share to one, and write its path parameters in camelCase."""
    responses = operation["responses"]
    responses.pop("422", None)  # bad input is answered 400
    for code, text in _ERRORS.items():
        shape = RpcStatus if code == "default" else ErrorBody
        schema = {"$ref": f"#/components/schemas/{shape.__name__}"}
        responses.setdefault(code, {"description": text, "content": {_JSON: {"schema": schema}}})
    for holder in (operation.get("requestBody"), *responses.values()):
        content = (holder or {}).get("content", {})
        if _JSON in content:
            content[MEDIA_TYPE] = content[_JSON]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["name"] = to_camel(parameter["name"])
    return operation


def _camel_path(path: str) -> str:
    return "/".join(
        "{" + to_camel(part[1:-1]) + "}" if part.startswith("{") else part for part in path.split("/")
    )
