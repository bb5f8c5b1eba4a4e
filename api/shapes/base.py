"""What every request and answer shape shares: camelCase names, numbers as text, paging, the generic answer."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

Int64Text = Annotated[
    int, PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string", "format": "int64"})
]
"""An int64 on the wire: sent as decimal text, read as number or text."""


def null_is(default: Any) -> BeforeValidator:
    """Return what reads null as a member that is not given, as protobuf's JSON does."""
    return BeforeValidator(lambda value: default if value is None else value)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


Moment = Annotated[datetime, AfterValidator(_utc)]
"""An RFC 3339 time in UTC, as which one without an offset counts too."""


class Shape(BaseModel):
    """Base of all: camelCase out, camelCase and snake_case in, unknown members ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class ErrorDetail(Shape):
    """What went wrong; `code` repeats the HTTP status."""

    code: int
    message: str
    description: str = ""


class GenericResponse(Shape):
    """The answer of calls that have nothing else to say."""

    ok: bool = True
    request_id: str = ""
    message: str = ""
    error: ErrorDetail | None = None


class ErrorBody(GenericResponse):
    """The body of every failure: the generic answer, and what an rpcStatus parser looks for."""

    ok: bool = False
    code: int = 2
    details: list[dict[str, Any]] = []


class RpcStatus(Shape):
    """What generated clients expect of an answer that the specification does not list."""

    code: int
    message: str
    details: list[dict[str, Any]] = []


class PaginatedResponse(Shape):
    """Where a list's rows lie among all that match."""

    total: int
    offset: int
    has_previous: bool
    has_next: bool

    @classmethod
    def of(cls, *, total: int, offset: int, rows: int) -> "PaginatedResponse":
        """Describe `rows` rows that start at `offset` of `total`."""
        return cls(total=total, offset=offset, has_previous=offset > 0, has_next=offset + rows < total)


class PaginationRequest(Shape):
    """Paging as it stands inside a request body."""

    limit: Annotated[int, null_is(0)] = Field(0, ge=0)
    offset: Annotated[int, null_is(0)] = Field(0, ge=0)


class DataSource(Shape):
    """A data source or destination: the published descriptor and its params."""

    data_source_descriptor: str = ""
    params: Annotated[dict[str, Any], null_is({})] = {}


class Version(Shape):
    """The server's version."""

    major: int
    minor: int
    tag: int = 0


class InfoResponse(Shape):
    """Version and notices."""

    version: Version
    messages: dict[str, str] = {}
