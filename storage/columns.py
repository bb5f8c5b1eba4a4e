"""Column types and the clock that both databases share."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Row, literal, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement
from sqlalchemy.types import TypeDecorator

AnyRow = Row[*tuple[Any, ...]]  #: a row of whatever columns

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Return microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the aware UTC datetime of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as microseconds since 1970: exact, ordered and the same in both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the number that is stored."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the datetime of a stored number."""
        return None if value is None else from_micros(value)


class db_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's own clock; leases compare with nothing else, so clocks of other machines don't matter."""

    type = Instant()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **kw: Any) -> str:  # noqa: ARG001 - SQLAlchemy's signature
    return "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"


@compiles(db_now, "postgresql")
def _postgresql_now(element: Any, compiler: Any, **kw: Any) -> str:  # noqa: ARG001 - SQLAlchemy's signature
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


def db_after(seconds: float) -> ColumnElement[datetime]:
    """Return the expression of the database's now plus seconds (negative: before now)."""
    shift = literal(int(seconds * 1_000_000), BigInteger)
    return type_coerce(db_now().op("+")(shift), Instant)
