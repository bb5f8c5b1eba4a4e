"""Accounts and their API keys."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Select, insert, select

from gridloom.ids import new_uuid
from storage.tables import accounts, api_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """An API key with what a request needs to know of its account."""

    id: str
    account_id: str
    user_name: str
    expires_at: datetime | None
    revoked_at: datetime | None
    deleted_at: datetime | None

    def usable(self, now: datetime) -> bool:
        """Tell whether the key may still be exchanged and its tokens still count."""
        alive = self.revoked_at is None and self.deleted_at is None
        return alive and (self.expires_at is None or now < self.expires_at)


def any_account(connection: Connection) -> bool:
    """Tell whether there is an account."""
    return connection.execute(select(accounts.c.id).limit(1)).first() is not None


def create_account(connection: Connection, user_name: str) -> str:
    """Add an account and return its id."""
    account_id = new_uuid()
    connection.execute(
        insert(accounts).values(id=account_id, user_name=user_name, created_at=datetime.now(UTC))
    )
    return account_id


def add_key(
    connection: Connection, account_id: str, *, name: str, key_hash: str, expires_at: datetime | None = None
) -> str:
    """Add an API key by its hash (SHA-256, hex) and return its id."""
    key_id = new_uuid()
    connection.execute(
        insert(api_keys).values(
            id=key_id,
            account_id=account_id,
            name=name,
            key_hash=key_hash,
            created_at=datetime.now(UTC),
            expires_at=expires_at,
        )
    )
    return key_id


def key_by_hash(connection: Connection, key_hash: str) -> KeyRow | None:
    """Return the key with this hash (SHA-256, hex)."""
    return _one_key(connection, _KEYS.where(api_keys.c.key_hash == key_hash))


def key_by_id(connection: Connection, key_id: str) -> KeyRow | None:
    """Return the key with this id."""
    return _one_key(connection, _KEYS.where(api_keys.c.id == key_id))


_KEYS = select(
    api_keys.c.id,
    api_keys.c.account_id,
    accounts.c.user_name,
    api_keys.c.expires_at,
    api_keys.c.revoked_at,
    accounts.c.deleted_at,
).join_from(api_keys, accounts)


def _one_key(
    connection: Connection, query: Select[tuple[str, str, str, datetime, datetime, datetime]]
) -> KeyRow | None:
    row = connection.execute(query).mappings().first()
    return KeyRow(**row) if row else None
