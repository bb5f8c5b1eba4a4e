"""Accounts: who may use the fabric."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from gridloom.ids import new_uuid
from storage.tables import accounts


def any_account(connection: Connection) -> bool:
    """Tell whether there is an account."""
    return connection.execute(select(accounts.c.id).limit(1)).first() is not None


def create_account(connection: Connection, user_name: str, columns: Mapping[str, Any] | None = None) -> str:
    """Add an account, with `columns` besides its user name, and return its id."""
    fixed = {"id": new_uuid(), "user_name": user_name, "created_at": datetime.now(UTC)}
    connection.execute(insert(accounts).values({**(columns or {}), **fixed}))
    return str(fixed["id"])
