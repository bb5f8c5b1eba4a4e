"""The route class of every public router: JSON that both databases can keep, or a message of it, or 400."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from google.protobuf.message import Message

from api import protobuf
from gridloom import lenient_json


class JsonRequest(Request):
    """Reads its body as RFC 8259 says, and refuses the few texts that a database can't hold."""

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            json.JSONDecodeError: when it is not such JSON; FastAPI answers 400.
        """
        return _parsed(await self.body())


class MessageRequest(Request):
    """Reads its body as a message of `kind`, or as nothing where the route takes no body."""

    kind: type[Message] | None

    async def json(self) -> Any:
        """Return the JSON of the message.

        Raises:
            json.JSONDecodeError: when the body is not such a message; FastAPI answers 400.
        """
        try:
            members = protobuf.as_json(self.kind, await self.body())
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from None
        return _parsed(json.dumps(members).encode())


class JsonRoute(APIRoute):
    """A route whose body is read by `JsonRequest`, whatever it says it is: `curl -d` and old clients call it a form.

    Only a body that calls itself a protobuf message is read as one.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler behind the stricter request."""
        self.strict_content_type = False  # what comes without a type is JSON
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            media_type = request.headers.get("content-type", "")
            headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
            scope = dict(request.scope, headers=headers)
            if media_type.partition(";")[0].strip() == protobuf.MEDIA_TYPE:
                read = MessageRequest(scope, request.receive)
                read.kind = protobuf.body_message(self)
                return await handler(read)
            return await handler(JsonRequest(scope, request.receive))

        return handler if self.body_field is None else strict


def _parsed(body: bytes) -> Any:
    try:
        return lenient_json.parse(body, trailing_commas=False)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from None
