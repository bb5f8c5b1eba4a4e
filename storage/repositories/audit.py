"""The audit log: one row for each call that changes something. Rows are added and read, never changed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from storage.spans import Span, fetch_span
from storage.tables import accounts, audit_log


def add(connection: Connection, row: dict[str, Any]) -> None:
    """Add one row."""
    connection.execute(insert(audit_log).values(**row))


def listed(
    connection: Connection, span: Span, *, account_id: str = "", route: str = ""
) -> tuple[Sequence[RowMapping], int]:
    """Return rows with their account's user name, and how many there are; both filters are exact."""
    query = select(audit_log, accounts.c.user_name).join_from(
        audit_log, accounts, accounts.c.id == audit_log.c.account_id, isouter=True
    )
    if account_id:
        query = query.where(audit_log.c.account_id == account_id)
    if route:
        query = query.where(audit_log.c.route == route)
    return fetch_span(connection, query, span, {"created_at": audit_log.c.at}, audit_log.c.id)
