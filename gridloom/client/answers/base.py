"""What every answer shares: the object that came, and typed members that read it when they are asked for.

Not pydantic: loading that, and building its models, would take a command longer than its call of the fabric.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, NoReturn, Self, TypeVar, overload

from gridloom.errors import ClientError

Json = dict[str, Any]
T = TypeVar("T")


class Answer:
    """An object that the fabric sent, `raw`; members that it left out or set to null have their default."""

    __slots__ = ("raw",)
    raw: Json

    def __init__(self, raw: Json) -> None:
        object.__setattr__(self, "raw", raw)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is what the fabric said; it can't be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Answer) and other.raw == self.raw

    __hash__ = None  # type: ignore[assignment]  # it holds a dict

    def __repr__(self) -> str:
        # Not every member: some are secret.
        return f"{type(self).__name__}({self.raw.get('id') or self.raw.get('name') or '…'!r})"


class Member(Generic[T]):
    """One member of an answer: how to read it, and what it is when missing; its name on the wire is camelCase.

    Raises, on access, ClientError when what came can't be read.
    """

    __slots__ = ("_default", "_names", "_read")

    def __init__(self, read: Callable[[Any], T], default: T, *names: str) -> None:
        self._read, self._default, self._names = read, default, names

    def __set_name__(self, owner: type, name: str) -> None:
        head, *rest = name.split("_")
        self._names = self._names or (head + "".join(it.title() for it in rest),)

    @overload
    def __get__(self, answer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, answer: Answer, owner: type) -> T: ...
    def __get__(self, answer: Answer | None, owner: type) -> Self | T:
        if answer is None:
            return self
        value = next((it for name in self._names if (it := answer.raw.get(name)) is not None), None)
        if value is None:
            return self._default
        try:
            return self._read(value)
        except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise ClientError(
                f"the fabric answers in a way that this client can't read: {self._names[0]} is {value!r:.100}"
            ) from error


def text(default: str = "", *names: str) -> Member[str]:
    """Return a member that is text."""
    return Member(str, default, *names)


def whole(*names: str) -> Member[int]:
    """Return a member that is a whole number, 0 by default; long ones come as text."""
    return Member(int, 0, *names)


def number(*names: str) -> Member[float]:
    """Return a member that is a number, 0 by default."""
    return Member(float, 0.0, *names)


def chips(*names: str) -> Member[Decimal]:
    """Return a member that is an amount of ByteChips or money, 0 by default."""
    return Member(lambda it: Decimal(str(it)), Decimal(0), *names)


def flag(*, default: bool = False) -> Member[bool]:
    """Return a member that is true or false."""
    return Member(bool, default)


def moment(*names: str) -> Member[datetime | None]:
    """Return a member that is a point in time, None by default."""
    return Member(_moment, None, *names)


def free(*names: str) -> Member[Json]:
    """Return a member that is any object, an empty one by default."""
    return Member(dict, {}, *names)


def one(kind: Callable[[Json], T]) -> Member[T | None]:
    """Return a member that is another answer, None by default."""
    return Member(kind, None)


def many(kind: Callable[[Any], T]) -> Member[tuple[T, ...]]:
    """Return a member that is a list, empty by default."""
    return Member(lambda them: tuple(kind(it) for it in them), ())


def mapping(kind: Callable[[Any], T]) -> Member[dict[str, T]]:
    """Return a member that has values of one kind by name, none by default."""
    return Member(lambda them: {str(name): kind(it) for name, it in them.items()}, {})


def read_moment(value: str) -> datetime:
    """Read an RFC 3339 time."""
    return datetime.fromisoformat(value)


def _moment(value: str) -> datetime | None:
    return read_moment(value) if value else None


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
            items=tuple(kind(it) for it in rows),
            total=int(paging.get("total") or len(rows)),
            offset=int(paging.get("offset") or 0),
            has_next=bool(paging.get("hasNext")),
            raw=answer,
        )


class Done(Answer):
    """The answer of calls that have nothing else to say."""

    ok = flag(default=True)
    request_id = text()
    message = text()


class Version(Answer):
    """The fabric's version."""

    major = whole()
    minor = whole()
    tag = whole()


class Info(Answer):
    """Version and notices of one API."""

    version = Member(Version, Version({}))
    messages = mapping(str)
