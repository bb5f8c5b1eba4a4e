"""A span of a list: which rows of a query to read, in which order, and how many there are in all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select
from sqlalchemy.sql.expression import ColumnElement

from gridloom.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """At most `limit` rows from `offset`; an empty `order_by` means the time of creation."""

    limit: int
    offset: int = 0
    order_by: str = ""
    descending: bool = True


def fetch_span(
    connection: Connection,
    query: Select[Any],
    span: Span,
    orders: Mapping[str, ColumnElement[Any]],
    tie: ColumnElement[Any],
) -> tuple[Sequence[RowMapping], int]:
    """Return the rows of a span and the number of all rows; `tie` orders what is else equal.

    Raises:
        BadInput: when `orders` has no such name.
    """
    name = span.order_by or "created_at"
    if name not in orders:
        raise BadInput(f"can't order by {name}; use {', '.join(orders)}", field="orderBy")
    total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    wanted = (it.desc() if span.descending else it.asc() for it in (orders[name], tie))
    rows = connection.execute(query.order_by(*wanted).limit(span.limit).offset(span.offset))
    return rows.mappings().all(), total
