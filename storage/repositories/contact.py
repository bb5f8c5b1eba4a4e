"""Messages that users leave for the operator."""

from sqlalchemy import Connection, func, insert, select

from storage.columns import db_after, db_now
from storage.tables import contact_messages

_DAY_S = 86_400.0


def count_today(connection: Connection, account_id: str) -> int:
    """Count an account's messages of the last 24 hours."""
    statement = select(func.count()).where(
        contact_messages.c.account_id == account_id, contact_messages.c.created_at > db_after(-_DAY_S)
    )
    return connection.execute(statement).scalar_one()


def add(connection: Connection, **columns: str) -> None:
    """Keep a message: id, account_id, email, summary, description."""
    connection.execute(insert(contact_messages).values(created_at=db_now(), **columns))
