"""OAuth: authorization codes, each good once, and device codes that wait for their user."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.sql.expression import ColumnElement

from storage.columns import AnyRow
from storage.tables import accounts, oauth_codes

CODE, DEVICE = "code", "device"
_KEPT = timedelta(days=1)  #: so that a code that comes twice is noticed


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """An authorization code with its account, or a device code with the code that its user types."""

    code_hash: str
    kind: str
    client_id: str
    expires_at: datetime
    account_id: str | None = None
    redirect_uri: str = ""
    challenge: str = ""
    user_code: str | None = None


def add(connection: Connection, new: NewCode) -> None:
    """Keep a code."""
    connection.execute(
        insert(oauth_codes).values(
            code_hash=new.code_hash,
            kind=new.kind,
            client_id=new.client_id,
            expires_at=new.expires_at,
            account_id=new.account_id,
            redirect_uri=new.redirect_uri,
            challenge=new.challenge,
            user_code=new.user_code,
            created_at=datetime.now(UTC),
        )
    )


def find(connection: Connection, kind: str, client_id: str, code_hash: str) -> AnyRow | None:
    """Return a client's code of a kind, used and expired ones too, locked: of two redemptions at once one is late."""
    query = select(oauth_codes).where(
        oauth_codes.c.code_hash == code_hash,
        oauth_codes.c.kind == kind,
        oauth_codes.c.client_id == client_id,
    )
    return connection.execute(query.with_for_update()).first()


def use(connection: Connection, code_hash: str) -> bool:
    """Take a code that was not used and whose account is there and enabled; tell whether it could be taken."""
    enabled = select(accounts.c.id).where(accounts.c.disabled_at.is_(None), accounts.c.deleted_at.is_(None))
    changed = connection.execute(
        update(oauth_codes)
        .where(
            oauth_codes.c.code_hash == code_hash,
            oauth_codes.c.used_at.is_(None),
            oauth_codes.c.account_id.in_(enabled),
        )
        .values(used_at=datetime.now(UTC))
    )
    return changed.rowcount > 0


def name_session(connection: Connection, code_hash: str, session_id: str) -> None:
    """Note which session a code was exchanged for."""
    mine = oauth_codes.c.code_hash == code_hash
    connection.execute(update(oauth_codes).where(mine).values(session_id=session_id))


def polled(connection: Connection, code_hash: str) -> None:
    """Note that a device has just asked."""
    mine = oauth_codes.c.code_hash == code_hash
    connection.execute(update(oauth_codes).where(mine).values(polled_at=datetime.now(UTC)))


def waiting(connection: Connection, user_code: str) -> AnyRow | None:
    """Return the device code that waits for a user who types this."""
    return connection.execute(select(oauth_codes).where(*_waits(user_code))).first()


def decide(connection: Connection, user_code: str, account_id: str, *, allow: bool) -> bool:
    """Let a waiting device in as this account, or refuse it; tell whether one waited."""
    values = {"account_id": account_id} if allow else {"denied": True}
    return connection.execute(update(oauth_codes).where(*_waits(user_code)).values(**values)).rowcount > 0


def sweep(connection: Connection) -> int:
    """Delete codes that expired a day ago; return how many."""
    over = oauth_codes.c.expires_at < datetime.now(UTC) - _KEPT
    return connection.execute(delete(oauth_codes).where(over)).rowcount


def _waits(user_code: str) -> tuple[ColumnElement[bool], ...]:
    return (
        oauth_codes.c.user_code == user_code,
        oauth_codes.c.account_id.is_(None),
        oauth_codes.c.denied.is_(False),
        oauth_codes.c.expires_at > datetime.now(UTC),
    )
