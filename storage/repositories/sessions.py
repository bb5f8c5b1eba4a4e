"""Sessions: sign-ins without an API key, each prolonged by one secret of which only the hash is kept."""

from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from gridloom.ids import new_uuid
from storage.columns import AnyRow
from storage.tables import accounts, sessions

MOST_SESSIONS = 1000  #: of an account


def create(
    connection: Connection, account_id: str, *, client: str, secret_hash: str | None, expires_at: datetime
) -> str:
    """Add a session and return its id; the account's last sign-in is now, and its oldest sessions beyond the most end."""
    session_id, now = new_uuid(), datetime.now(UTC)
    connection.execute(
        insert(sessions).values(
            id=session_id,
            account_id=account_id,
            client=client,
            refresh_hash=secret_hash,
            created_at=now,
            expires_at=expires_at,
        )
    )
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(last_login_at=now))
    mine = select(sessions.c.id).where(sessions.c.account_id == account_id)
    too_many = mine.order_by(sessions.c.created_at.desc()).limit(MOST_SESSIONS).offset(MOST_SESSIONS)
    connection.execute(delete(sessions).where(sessions.c.id.in_(too_many)))
    return session_id


def by_secret(connection: Connection, client: str, secret_hash: str) -> AnyRow | None:
    """Return the good session of a client that has this secret: its `id`, `account_id` and `user_name`."""
    query = (
        select(sessions.c.id, sessions.c.account_id, accounts.c.user_name)
        .join_from(sessions, accounts)
        .where(
            sessions.c.refresh_hash == secret_hash,
            sessions.c.client == client,
            sessions.c.revoked_at.is_(None),
            sessions.c.expires_at > datetime.now(UTC),
            accounts.c.disabled_at.is_(None),
            accounts.c.deleted_at.is_(None),
        )
    )
    return connection.execute(query).first()


def rotate(connection: Connection, session_id: str, old_hash: str, new_hash: str, until: datetime) -> bool:
    """Replace a session's secret and prolong the session; tell whether `old_hash` was its secret."""
    changed = connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.refresh_hash == old_hash)
        .values(refresh_hash=new_hash, expires_at=until)
    )
    return changed.rowcount > 0


def revoke(connection: Connection, session_id: str, *, client: str = "") -> bool:
    """End a session, of this client if one is named; tell whether it was there and good."""
    good = [sessions.c.id == session_id, sessions.c.revoked_at.is_(None)]
    if client:
        good.append(sessions.c.client == client)
    return connection.execute(update(sessions).where(*good).values(revoked_at=datetime.now(UTC))).rowcount > 0


def sweep(connection: Connection) -> int:
    """Delete sessions that have expired; return how many."""
    return connection.execute(delete(sessions).where(sessions.c.expires_at < datetime.now(UTC))).rowcount
