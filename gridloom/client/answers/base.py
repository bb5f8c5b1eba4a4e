"""What every answer shares: frozen, camelCase on the wire, open to what newer fabrics add."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator
from pydantic.alias_generators import to_camel

Json = dict[str, Any]


class Answer(BaseModel):
    """Base of all: unknown members are only in `raw`, missing and null ones have their default."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, defer_build=True
    )

    _raw: Json = PrivateAttr(default_factory=dict)

    @property
    def raw(self) -> Json:
        """The object as the fabric sent it."""
        return self._raw

    @model_validator(mode="wrap")
    @classmethod
    def _tolerate(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, dict):
            return handler(given)
        answer = handler({name: value for name, value in given.items() if value is not None})
        answer._raw = given  # noqa: SLF001 (its own)
        return answer


A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[A]):
    """Some rows of a list, and where they lie among all; `raw` is the answer as the fabric sent it."""

    items: tuple[A, ...]
    total: int
    offset: int
    has_next: bool
    raw: Json

    def __iter__(self) -> Iterator[A]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def next_offset(self) -> int | None:
        """The `offset` of the next page; None when this is the last one."""
        return self.offset + len(self.items) if self.has_next and self.items else None

    @classmethod
    def of(cls, kind: type[A], answer: Json, member: str) -> "Page[A]":
        """Read a list whose rows are in `member`."""
        rows = answer.get(member) or []
        paging = answer.get("pagination") or {}
        return Page(
            items=tuple(kind.model_validate(it) for it in rows),
            total=int(paging.get("total") or len(rows)),
            offset=int(paging.get("offset") or 0),
            has_next=bool(paging.get("hasNext")),
            raw=answer,
        )


class Done(Answer):
    """The answer of calls that have nothing else to say."""

    ok: bool = True
    request_id: str = ""
    message: str = ""


class Version(Answer):
    """The fabric's version."""

    major: int = 0
    minor: int = 0
    tag: int = 0


class Info(Answer):
    """Version and notices of one API."""

    version: Version = Version()
    messages: dict[str, str] = Field({})
