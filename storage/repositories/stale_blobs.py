"""Keys of archives and cache files that no row names: noted before the bytes are put and when the last name goes.

Every upload has a key of its own, so a key that lost its name never gets another. Whoever names a key clears its note
in the same transaction, and a note that is taken for removal can't be cleared any more: bytes that a row names are
never removed, and others never forgotten.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, or_, select, update

from gridloom.errors import Unavailable
from gridloom.states import JOB_LIVE
from storage.columns import db_after, db_now
from storage.tables import jobs, stale_blobs
from storage.upsert import insert_into

UPLOAD_S = 86_400.0  #: how long an upload may take from its note to the commit that names its key
GRACE_S = 3_600.0  #: how long bytes stay for who read their key just before it lost its name

_ARCHIVES = [
    jobs.c.plan[stage]["component"]["archive_key"].as_string()
    for stage in ("partitioner", "app", "assembler")
]


def expect(connection: Connection, key: str) -> None:
    """Note a key that bytes are about to be put under; to be committed before they are."""
    _note(connection, key, UPLOAD_S)


def name(connection: Connection, key: str) -> None:
    """Clear the note of a key that this transaction names in a row.

    Raises:
        Unavailable: when there is none: the upload took so long that its bytes are being removed.
    """
    waiting = (stale_blobs.c.key == key, stale_blobs.c.taken.is_(False))
    if not connection.execute(delete(stale_blobs).where(*waiting)).rowcount:
        raise Unavailable("the upload took too long; try again")


def drop(connection: Connection, keys: Iterable[str]) -> None:
    """Note keys whose name this transaction takes away."""
    for key in keys:
        _note(connection, key, GRACE_S)


def due(connection: Connection, limit: int) -> list[str]:
    """Return noted keys whose time is over, the oldest first."""
    query = select(stale_blobs.c.key).where(stale_blobs.c.due_at <= db_now())
    return list(connection.execute(query.order_by(stale_blobs.c.due_at).limit(limit)).scalars())


def planned(connection: Connection, keys: Collection[str]) -> set[str]:
    """Return those of the keys that a job which may still run names in its plan."""
    live = jobs.c.state.in_([state.value for state in JOB_LIVE])
    query = select(*_ARCHIVES).where(live, or_(*(it.in_(keys) for it in _ARCHIVES)))
    return {key for row in connection.execute(query) for key in row}.intersection(keys)


def put_off(connection: Connection, keys: Collection[str]) -> None:
    """Look at these keys again only after another while."""
    later = {"due_at": db_after(GRACE_S)}
    connection.execute(update(stale_blobs).where(stale_blobs.c.key.in_(keys)).values(later))


def take(connection: Connection, keys: Collection[str]) -> list[str]:
    """Take keys for removal and return those that are still noted: from now on none of them can be named."""
    mine = update(stale_blobs).where(stale_blobs.c.key.in_(keys)).values(taken=True)
    return list(connection.execute(mine.returning(stale_blobs.c.key)).scalars())


def forget(connection: Connection, keys: Collection[str]) -> None:
    """Delete the notes of keys whose bytes are gone."""
    connection.execute(delete(stale_blobs).where(stale_blobs.c.key.in_(keys)))


def _note(connection: Connection, key: str, for_s: float) -> None:
    due = {"due_at": db_after(for_s)}
    connection.execute(
        insert_into(connection, stale_blobs)
        .values(key=key, **due)
        .on_conflict_do_update(index_elements=["key"], set_=due)
    )
