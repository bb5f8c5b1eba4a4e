"""What route functions ask for by type: the context, the caller, the request's id, a page."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import APIKeyHeader
from fastapi.security.base import SecurityBase

from api import tokens
from api.context import Context
from api.errors import request_id_of
from api.limiter import Limiter
from api.shares import Turns
from api.short_reads import run_short
from gridloom.errors import BadInput, Forbidden
from storage.spans import Span

DEFAULT_ROWS = 100
MOST_ROWS = 1000
_LARGEST_OFFSET = 2**31 - 1

_authorization = APIKeyHeader(
    name="Authorization",
    scheme_name="ApiKeyAuth",
    auto_error=False,
    description="`<token>` or `Bearer <token>`",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Span):
    """The span of a list that a client asked for."""

    @classmethod
    def of(cls, limit: int, offset: int, order_by: str = "") -> "Page":
        """Read what a client asked for; a limit of 0 means the default, larger ones are capped at `MOST_ROWS`.

        Raises:
            BadInput: when a number is negative, or `order_by` is not a name with an optional `asc` or `desc`.
        """
        if limit < 0 or not 0 <= offset <= _LARGEST_OFFSET:
            raise BadInput(
                f"pagination.limit must not be negative, pagination.offset be from 0 to {_LARGEST_OFFSET}",
                field="pagination",
            )
        name, _, direction = order_by.strip().partition(" ")
        direction = direction.strip().lower()
        if direction not in ("", "asc", "desc"):
            raise BadInput(f"orderBy ends in {direction!r}, it may end in asc or desc", field="orderBy")
        snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
        descending = direction == "desc" or (not direction and snake in ("", "created_at", "updated_at"))
        return cls(
            limit=min(limit or DEFAULT_ROWS, MOST_ROWS), offset=offset, order_by=snake, descending=descending
        )


def context_of(request: Request) -> Context:
    """Return the context, for a handler that is called so often that a dependency more counts."""
    context: Context = request.app.state.context
    return context


async def _context(request: Request) -> Context:
    return context_of(request)


async def _page(
    limit: Annotated[int, Query(alias="pagination.limit")] = 0,
    offset: Annotated[int, Query(alias="pagination.offset")] = 0,
    order_by: Annotated[str, Query(alias="orderBy")] = "",
) -> Page:
    return Page.of(limit, offset, order_by)


async def _request_id(request: Request) -> str:
    return request_id_of(request)


def gate_of(request: Request) -> tokens.TokenGate:
    """Return what gives and knows access tokens; as with `context_of`."""
    gate: tokens.TokenGate = request.app.state.gate
    return gate


async def _gate(request: Request) -> tokens.TokenGate:
    return gate_of(request)


GateDep = Annotated[tokens.TokenGate, Depends(_gate)]


AuthorizationDep = Annotated[str | None, Depends(_authorization)]


async def caller_of(request: Request, gate: tokens.TokenGate, header: str) -> tokens.Caller:
    """Return who sends this Authorization header, and count the call.

    Raises:
        Unauthorized: when nobody does.
    """
    known = gate.remembered(header)
    caller = known if known is not None else await run_short(gate.database, gate.caller, header)
    request.state.caller = caller
    limiter: Limiter = request.app.state.call_limiter
    limiter.count(caller.account_id)
    return caller


class _CallerScheme(SecurityBase):
    """The scheme as the documents have it, and the caller at once: every dependency more costs every call."""

    model, scheme_name = _authorization.model, _authorization.scheme_name

    async def __call__(self, request: Request) -> tokens.Caller:
        return await caller_of(request, gate_of(request), request.headers.get("authorization", ""))


_caller = _CallerScheme()


async def _stream_header(
    authorization: AuthorizationDep,
    access_token: Annotated[str, Query(description="For clients that can't set headers")] = "",
) -> str:
    return authorization or access_token


StreamHeaderDep = Annotated[str, Depends(_stream_header)]


async def _stream_caller(request: Request, gate: GateDep, header: StreamHeaderDep) -> tokens.Caller:
    return await caller_of(request, gate, header)


async def _admin(caller: Annotated[tokens.Caller, Depends(_caller)]) -> tokens.Caller:
    if caller.role != tokens.ADMIN:
        raise Forbidden("this call is for accounts with the role admin")
    return caller


async def _turns(request: Request) -> Turns:
    turns: Turns = request.app.state.turns
    return turns


TurnsDep = Annotated[Turns, Depends(_turns)]


async def _turn(caller: Annotated[tokens.Caller, Depends(_caller)], turns: TurnsDep) -> AsyncIterator[None]:
    async with turns.taken(caller.account_id):
        yield


TurnDep = Annotated[None, Depends(_turn, scope="function")]
ContextDep = Annotated[Context, Depends(_context)]
CallerDep = Annotated[tokens.Caller, Depends(_caller)]
StreamCallerDep = Annotated[tokens.Caller, Depends(_stream_caller)]
AdminDep = Annotated[tokens.Caller, Depends(_admin)]
RequestIdDep = Annotated[str, Depends(_request_id)]
PageDep = Annotated[Page, Depends(_page)]
