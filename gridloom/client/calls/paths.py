"""Builds paths and queries, and reads the generic answers."""

from typing import Any, Literal, TypeVar
from urllib.parse import quote

from gridloom.client.answers.base import Answer, Done, Info, Page
from gridloom.client.steps import Call, Json, Talk
from gridloom.ids import new_uuid

A = TypeVar("A", bound=Answer)


def path_of(*parts: str) -> str:
    """Join parts to a path; the first is taken as it is, the others may hold anything."""
    first, *rest = parts
    return "/".join([first, *(quote(it, safe="@/") for it in rest)])  # a tag may be user/name@version


def paging(limit: int, offset: int, order_by: str = "") -> Json:
    """Return the query of one page."""
    query: Json = {"pagination.limit": limit, "pagination.offset": offset}
    return query | ({"orderBy": order_by} if order_by else {})


def given(**values: Any) -> Json:
    """Return what was given: neither None nor empty."""
    return {name: value for name, value in values.items() if value not in (None, "", (), {}, [])}


def call(
    method: str, path: str, *, body: Json | None = None, query: Json | None = None, repeatable: bool = False
) -> Talk[Json]:
    """Make any call of the API and return the answer's object; `repeatable` marks one that may be made twice."""
    answer: Json = yield Call(method=method, path=path, body=body, query=query, repeatable=repeatable)
    return answer


def fetch(kind: type[A], path: str, *, query: Json | None = None, member: str = "") -> Talk[A]:
    """Read one object, which may stand below a member of the answer."""
    return unwrap(kind, (yield from call("GET", path, query=query)), member)


def fetch_page(kind: type[A], path: str, query: Json, member: str = "data") -> Talk[Page[A]]:
    """Read one page of a list."""
    return Page.of(kind, (yield from call("GET", path, query=query)), member)


def change(method: str, path: str, body: Json | None = None, *, repeatable: bool = False) -> Talk[Done]:
    """Make a call that has nothing to say but that it is done."""
    return Done((yield from call(method, path, body=body, repeatable=repeatable)))


def once(path: str, body: Json) -> Talk[Json]:
    """Make a call that counts once however often it arrives, so it may be repeated."""
    headers = {"Idempotency-Key": new_uuid()}
    answer: Json = yield Call(method="POST", path=path, body=body, headers=headers, repeatable=True)
    return answer


def unwrap(kind: type[A], answer: Json, member: str) -> A:
    """Read an object below a member of the answer, or where the answer itself is the object."""
    inner = answer.get(member)
    return kind(inner if isinstance(inner, dict) else answer)


def info(api: Literal["auth", "dev", "customer", "wallet"] = "customer") -> Talk[Info]:
    """Return the fabric's version and its notices."""
    return (yield from fetch(Info, f"/v1/{api}/info"))
