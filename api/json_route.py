"""The route class of every router: JSON that both databases can keep, or 400."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class JsonRequest(Request):
    """Reads its body as RFC 8259 says: no NaN or Infinity, no lone surrogates, and no NUL, which PostgreSQL can't hold."""

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            json.JSONDecodeError: when it is not such JSON; FastAPI answers 400.
        """
        body = await self.body()
        try:
            text = body.decode()
            parsed = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
            if "\\u" in text:
                json.dumps(parsed, ensure_ascii=False).encode()
        except json.JSONDecodeError:
            raise
        except RecursionError:
            raise json.JSONDecodeError("it is nested too deeply", "", 0) from None
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from None
        if "\\u0000" in text and _holds_nul(parsed):
            raise json.JSONDecodeError("it holds a NUL character", "", 0)
        return parsed


class JsonRoute(APIRoute):
    """A route whose body is read by `JsonRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler behind the stricter request."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(JsonRequest(request.scope, request.receive))

        return strict


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_holds_nul(item) for item in value)
