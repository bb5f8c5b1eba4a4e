"""One-time codes sent by e-mail: one for each e-mail and purpose, good for few tries."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, update
from sqlalchemy.sql.expression import ColumnElement

from storage.tables import one_time_codes
from storage.upsert import insert_into

MOST_TRIES = 5
PAUSE = timedelta(seconds=30)


def save(connection: Connection, email: str, purpose: str, code_hash: str, expires_at: datetime) -> bool:
    """Keep a code in place of an older one and tell whether it counts.

    Tries of a code that has not expired count on for the next one; when they are used up no new code counts before
    the old one expires. So asking for codes again and again gives no more tries; and within `PAUSE` it changes
    nothing, so that nobody's mailbox is flooded.
    """
    now = datetime.now(UTC)
    mine = _of(email, purpose)
    connection.execute(delete(one_time_codes).where(*mine, one_time_codes.c.expires_at <= now))
    values = {"code_hash": code_hash, "created_at": now, "expires_at": expires_at}
    free = (one_time_codes.c.tries < MOST_TRIES) & (one_time_codes.c.created_at <= now - PAUSE)
    row = insert_into(connection, one_time_codes).values(email=email, purpose=purpose, **values)
    saved = row.on_conflict_do_update(index_elements=["email", "purpose"], set_=values, where=free)
    return connection.execute(saved.returning(one_time_codes.c.email)).first() is not None


def take(connection: Connection, email: str, purpose: str, code_hash: str) -> bool:
    """Try a code and tell whether it is right; a right one is used up.

    The try counts before the code is looked at, so that tries made at once count too. The caller must commit
    whatever the answer is.
    """
    mine = _of(email, purpose)
    counted = connection.execute(
        update(one_time_codes)
        .where(*mine, one_time_codes.c.tries < MOST_TRIES, one_time_codes.c.expires_at > datetime.now(UTC))
        .values(tries=one_time_codes.c.tries + 1)
    )
    if not counted.rowcount:
        return False
    right = delete(one_time_codes).where(*mine, one_time_codes.c.code_hash == code_hash)
    return connection.execute(right).rowcount > 0


def sweep(connection: Connection) -> int:
    """Delete codes that have expired; return how many."""
    over = one_time_codes.c.expires_at < datetime.now(UTC)
    return connection.execute(delete(one_time_codes).where(over)).rowcount


def _of(email: str, purpose: str) -> tuple[ColumnElement[bool], ...]:
    return (one_time_codes.c.email == email, one_time_codes.c.purpose == purpose)
