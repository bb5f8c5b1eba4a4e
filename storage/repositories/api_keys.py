"""API keys: made, listed, revoked; only their hashes are kept."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, case, func, insert, or_, select, update
from sqlalchemy.sql.expression import ColumnElement

from gridloom.ids import new_uuid
from storage.columns import AnyRow
from storage.tables import api_keys

MOST_KEYS = 1000  #: that an account may have at once, and rows of a list


def add(
    connection: Connection,
    account_id: str,
    *,
    name: str,
    key_hash: str,
    fingerprint: str = "",
    expires_at: datetime | None = None,
) -> str:
    """Add an API key by its hash (SHA-256, hex) and return its id."""
    key_id = new_uuid()
    connection.execute(
        insert(api_keys).values(
            id=key_id,
            account_id=account_id,
            name=name,
            key_hash=key_hash,
            fingerprint=fingerprint,
            created_at=datetime.now(UTC),
            expires_at=expires_at,
        )
    )
    return key_id


def find(connection: Connection, account_id: str, key_id: str) -> AnyRow | None:
    """Return the account's key with this id."""
    mine = (api_keys.c.account_id == account_id, api_keys.c.id == key_id)
    return connection.execute(select(api_keys).where(*mine)).first()


def listed(connection: Connection, account_id: str) -> Sequence[AnyRow]:
    """Return the account's keys, those that let in before those that are over, the newest first."""
    query = select(api_keys).where(api_keys.c.account_id == account_id)
    order = (case((_good(), 0), else_=1), api_keys.c.created_at.desc())
    return connection.execute(query.order_by(*order).limit(MOST_KEYS)).all()


def count_good(connection: Connection, account_id: str) -> int:
    """Return how many of the account's keys let in."""
    query = select(func.count()).select_from(api_keys).where(api_keys.c.account_id == account_id, _good())
    return connection.execute(query).scalar_one()


def revoke(connection: Connection, account_id: str, key_id: str) -> bool:
    """Revoke the account's key and tell whether there is such a key; the first revocation's time stays."""
    if find(connection, account_id, key_id) is None:
        return False
    fresh = (api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    connection.execute(update(api_keys).where(*fresh).values(revoked_at=datetime.now(UTC)))
    return True


def _good() -> ColumnElement[bool]:
    unexpired = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > datetime.now(UTC))
    return api_keys.c.revoked_at.is_(None) & unexpired
