"""What a conversation with the fabric consists of: steps that are yielded, and answers that come back.

An operation is a generator function. It yields a step, gets that step's answer as the value of the `yield`, and
returns what the operation is asked for. It touches no socket and no clock, so the blocking and the asyncio client
carry out the same one. A session (`gridloom.client.session`) turns calls into requests; a driver
(`gridloom.client.drivers`) sends those.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from gridloom.errors import ClientError

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the API; answered by the answer's object, or by the open response when it `streams`.

    `repeatable` marks calls other than GET that may be made twice with one outcome: like GETs they are made again
    while the fabric is away.
    """

    method: str
    path: str
    body: Json | None = None
    form: Mapping[str, str] | None = None
    query: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    signed: bool = True  #: carries the caller's token
    streams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One request; answered by the response, read to its end unless it `streams` and is a success.

    What carries no `Authorization` goes to signed links. `content` gives the body's blocks.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Json | None = None
    json: Json | None = None
    form: Mapping[str, str] | None = None
    content: Callable[[], Iterator[bytes]] | None = None
    streams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Answered by the next block of the conversation's open response, b"" at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """Answered by None after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bear:
    """Answered by None when the client's patience allows another try after this error; raises it otherwise."""

    error: ClientError


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Answered by None once whoever iterates wants the item after this one."""

    value: Any


Step: TypeAlias = Call | Send | Read | Sleep | Bear | Item
Talk: TypeAlias = Generator[Step, Any, T]
