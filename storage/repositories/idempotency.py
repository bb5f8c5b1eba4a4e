"""Calls that a client may repeat: which job the first one made or ran, for a day."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from gridloom.errors import Conflict
from storage.columns import db_after, db_now
from storage.tables import idempotency_keys as keys
from storage.upsert import insert_into

KEPT_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call under a key: who made it, and hashes (SHA-256, hex) of the key and of the call with its body."""

    owner_id: str
    key_hash: str
    request_hash: str


def found(connection: Connection, asked: Asked) -> str | None:
    """Return the job of the same call under the same key, None when the key is new or a day old.

    Raises:
        Conflict: when the key was used for another call.
    """
    row = connection.execute(
        select(keys.c.request_hash, keys.c.job_id).where(
            keys.c.owner_id == asked.owner_id,
            keys.c.key_hash == asked.key_hash,
            keys.c.created_at > db_after(-KEPT_S),
        )
    ).first()
    if row is not None and row.request_hash != asked.request_hash:
        raise Conflict("the key was used for another request; take a new one", field="Idempotency-Key")
    return None if row is None else str(row.job_id)


def take(connection: Connection, asked: Asked, job_id: str) -> str:
    """Note a call and return its job: this one, or that of the call that came first.

    Raises:
        Conflict: as `found`.
    """
    mine = (keys.c.owner_id == asked.owner_id, keys.c.key_hash == asked.key_hash)
    connection.execute(delete(keys).where(*mine, keys.c.created_at <= db_after(-KEPT_S)))
    values = {"request_hash": asked.request_hash, "job_id": job_id, "created_at": db_now()}
    connection.execute(
        insert_into(connection, keys)
        .values(owner_id=asked.owner_id, key_hash=asked.key_hash, **values)
        .on_conflict_do_nothing()
    )
    return found(connection, asked) or job_id


def forget_old(connection: Connection) -> int:
    """Delete the keys that are a day old; return how many."""
    return connection.execute(delete(keys).where(keys.c.created_at <= db_after(-KEPT_S))).rowcount
