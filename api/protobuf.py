"""application/x-protobuf on every operation: bodies become the JSON that the routes read, answers the messages of it.

Routes know JSON alone; the messages of `api/proto/gridloom.proto` have the same names and members as their shapes.
"""

import json
from collections.abc import Iterator
from inspect import isclass
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

from fastapi.routing import APIRoute
from google.protobuf import descriptor_pool, json_format, message_factory, proto
from google.protobuf.message import DecodeError, Message
from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from api.proto import gridloom_pb2
from api.shapes.base import ErrorBody

MEDIA_TYPE = "application/x-protobuf"
PROTO_FILE = Path(gridloom_pb2.__file__).with_name("gridloom.proto")

_PACKAGE = gridloom_pb2.DESCRIPTOR.package
_POOL = descriptor_pool.Default()


def message_of(annotation: Any) -> type[Message] | None:
    """Return the message class of the first shape within a type annotation, None when there is none."""
    shape = next(_shapes_in(annotation), None)
    if shape is None:
        return None
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{shape.__name__}"))


def body_message(route: APIRoute) -> type[Message] | None:
    """Return the message class of a route's body, None when it takes none."""
    return message_of(route.body_field.field_info.annotation) if route.body_field else None


def as_json(kind: type[Message] | None, body: bytes) -> Any:
    """Return a message's members as a JSON object; no message class stands for an empty object.

    Raises:
        ValueError: when the bytes are not such a message.
    """
    if kind is None:
        return {}
    message = kind()
    try:
        message.ParseFromString(body)
        return json_format.MessageToDict(message)
    except (DecodeError, UnicodeDecodeError, json_format.Error) as error:
        raise ValueError(f"not a {kind.DESCRIPTOR.name}: {error}") from None


def as_message(kind: type[Message], body: bytes) -> bytes:
    """Return the serialized message of a JSON object; members that the message lacks are left out."""
    return json_format.ParseDict(json.loads(body), kind(), ignore_unknown_fields=True).SerializeToString()


def delimited(shape: type[BaseModel], text: str) -> bytes:
    """Return the message of a shape's JSON behind its length as a varint, as one of many in a stream."""
    kind, framed = message_of(shape), BytesIO()
    assert kind is not None
    message = json_format.Parse(text, kind(), ignore_unknown_fields=True)
    proto.serialize_length_prefixed(message, framed)
    return framed.getvalue()


def accepted(header: str) -> list[str]:
    """Return the media types that an Accept header names."""
    return [part.partition(";")[0].strip().lower() for part in header.split(",")]


class ProtobufAnswers:
    """Turns JSON answers into messages for clients that ask for them; plain ASGI, so that all others pay nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and _wanted(Headers(scope=scope).get("accept", "")):
            await self._app(scope, receive, _Answer(scope, send).send)
        else:
            await self._app(scope, receive, send)


class _Answer:
    """One answer: a JSON one is kept back until it is whole."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._forward = scope, send
        self._start: AsgiMessage | None = None
        self._body = bytearray()

    async def send(self, message: AsgiMessage) -> None:
        """Take one piece of the answer."""
        if message["type"] == "http.response.start" and self._kind(message) is not None:
            self._start = message
        elif self._start is None:
            await self._forward(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish(self._start)

    async def _finish(self, start: AsgiMessage) -> None:
        kind = self._kind(start)
        body = as_message(kind, bytes(self._body)) if kind else bytes(self._body)
        headers = MutableHeaders(raw=start["headers"])
        headers["Content-Type"], headers["Content-Length"] = MEDIA_TYPE, str(len(body))
        await self._forward({**start, "headers": headers.raw})
        await self._forward({"type": "http.response.body", "body": body})

    def _kind(self, start: AsgiMessage) -> type[Message] | None:
        if not Headers(raw=start["headers"]).get("content-type", "").startswith("application/json"):
            return None
        if start["status"] >= 400:
            return message_of(ErrorBody)
        route = self._scope.get("route")
        return message_of(route.response_model) if isinstance(route, APIRoute) else None


def _wanted(accept: str) -> bool:
    """Tell whether an Accept header names the media type, and does not put JSON before it."""
    names = accepted(accept)
    if MEDIA_TYPE not in names:
        return False
    return "application/json" not in names[: names.index(MEDIA_TYPE)]


def _shapes_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _shapes_in(part)
