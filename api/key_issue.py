"""Makes API keys: 288 random bits that one answer shows; the database keeps a hash."""

import hashlib
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from api.context import Context
from api.shapes.auth import ApiKey
from api.tokens import hash_key
from gridloom.errors import BadInput, Forbidden
from gridloom.ids import new_token
from storage.columns import AnyRow
from storage.repositories import api_keys

PREFIX = "glk"
USUAL_LIFE = timedelta(days=180)
LONGEST_LIFE = timedelta(days=3660)


def issue(context: Context, account_id: str, name: str, expires_at: datetime) -> tuple[str, ApiKey]:
    """Add a key to an account; return the key itself and what is shown of it.

    Raises:
        Forbidden: when the account has so many that a list would not show them all.
    """
    key = new_token(PREFIX)

    def add(connection: Connection) -> AnyRow:
        if api_keys.count_good(connection, account_id) >= api_keys.MOST_KEYS:
            raise Forbidden(
                f"you have {api_keys.MOST_KEYS} API keys, the most that one may; revoke some first"
            )
        key_id = api_keys.add(
            connection,
            account_id,
            name=name,
            key_hash=hash_key(key),
            fingerprint=fingerprint(key),
            expires_at=expires_at,
        )
        row = api_keys.find(connection, account_id, key_id)
        assert row is not None
        return row

    return key, shown(context.writer.run(add))


def fingerprint(key: str) -> str:
    """Return the digest that tells keys apart; it is not the hash that the key is found by."""
    return hashlib.sha256(f"fingerprint {key}".encode()).hexdigest()[:32]


def shown(row: AnyRow) -> ApiKey:
    """Return what a list shows of a key."""
    return ApiKey(
        id=row.id,
        name=row.name,
        issued_at=row.created_at,
        expires_at=row.expires_at,
        user_id=row.account_id,
        revoked=row.revoked_at is not None,
        fingerprint=row.fingerprint,
    )


def end_of(duration_s: int | None, expires_at: datetime | None) -> datetime:
    """Return when a new key expires; the duration goes before, and without either it is `USUAL_LIFE`.

    Raises:
        BadInput: when that is not between now and `LONGEST_LIFE`.
    """
    now = datetime.now(UTC)
    if duration_s is not None:
        if not 0 < duration_s <= LONGEST_LIFE.total_seconds():
            raise BadInput(
                f"duration is in seconds, 1 to {LONGEST_LIFE.total_seconds():.0f}", field="duration"
            )
        return now + timedelta(seconds=duration_s)
    if expires_at is None:
        return now + USUAL_LIFE
    end = expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)
    if not now < end <= now + LONGEST_LIFE:
        raise BadInput(f"expiresAt must lie within the next {LONGEST_LIFE.days} days", field="expiresAt")
    return end
