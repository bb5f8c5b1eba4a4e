"""What an access token leans on: the API key or session that it came from, and whether it was signed out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, String, Table, bindparam, delete, exists, select

from storage.tables import accounts, api_keys, ended_tokens, sessions
from storage.upsert import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An API key or session with what a request needs to know of its account."""

    id: str
    account_id: str
    user_name: str
    role: str
    expires_at: datetime | None
    revoked_at: datetime | None
    disabled_at: datetime | None
    deleted_at: datetime | None

    def usable(self, now: datetime) -> bool:
        """Tell whether it still lets its account in."""
        stopped = self.revoked_at or self.disabled_at or self.deleted_at
        return stopped is None and (self.expires_at is None or now < self.expires_at)


def key_by_hash(connection: Connection, key_hash: str) -> Credential | None:
    """Return the API key with this hash (SHA-256, hex)."""
    return _one(connection, _KEY_BY_HASH, wanted=key_hash)


def of_token(
    connection: Connection, token_id: str, *, key_id: str = "", session_id: str = ""
) -> Credential | None:
    """Return the key or session of a token, or None when there is none or the token was signed out."""
    query = _KEY_OF_TOKEN if key_id else _SESSION_OF_TOKEN
    return _one(connection, query, wanted=key_id or session_id, token=token_id)


def end_token(connection: Connection, token_id: str, expires_at: datetime) -> None:
    """Refuse a token from now until it would have expired anyway."""
    row = insert_into(connection, ended_tokens).values(id=token_id, expires_at=expires_at)
    connection.execute(row.on_conflict_do_nothing())


def sweep(connection: Connection) -> int:
    """Delete the marks of signed-out tokens that have expired since; return how many."""
    over = ended_tokens.c.expires_at < datetime.now(UTC)
    return connection.execute(delete(ended_tokens).where(over)).rowcount


def _with_account(table: Table) -> Select[Any]:
    return select(
        table.c.id,
        table.c.account_id,
        table.c.expires_at,
        table.c.revoked_at,
        accounts.c.user_name,
        accounts.c.role,
        accounts.c.disabled_at,
        accounts.c.deleted_at,
    ).join_from(table, accounts)


# Built once: every exchange of a key and every new token asks one of these.
_WANTED = bindparam("wanted", type_=String)
_NOT_ENDED = ~exists().where(ended_tokens.c.id == bindparam("token", type_=String))
_KEY_BY_HASH = _with_account(api_keys).where(api_keys.c.key_hash == _WANTED)
_KEY_OF_TOKEN = _with_account(api_keys).where(api_keys.c.id == _WANTED, _NOT_ENDED)
_SESSION_OF_TOKEN = _with_account(sessions).where(sessions.c.id == _WANTED, _NOT_ENDED)


def _one(connection: Connection, query: Select[Any], **values: str) -> Credential | None:
    row = connection.execute(query, values).mappings().first()
    return Credential(**row) if row else None
