"""The route class of every public router: JSON that both databases can keep, or 400."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from gridloom import lenient_json


class JsonRequest(Request):
    """Reads its body as RFC 8259 says, and refuses the few texts that a database can't hold."""

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            json.JSONDecodeError: when it is not such JSON; FastAPI answers 400.
        """
        try:
            return lenient_json.parse(await self.body(), trailing_commas=False)
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from None


class JsonRoute(APIRoute):
    """A route whose body is read by `JsonRequest`, whatever it says it is: `curl -d` and old clients call it a form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler behind the stricter request."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            others = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
            scope = dict(request.scope, headers=[*others, (b"content-type", b"application/json")])
            return await handler(JsonRequest(scope, request.receive))

        return strict
