"""What users uploaded into their cache and the shared one; a scope is an account's id, or `SHARED`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, or_, select

from gridloom.errors import BadState, Forbidden
from storage.columns import db_now
from storage.repositories import stale_blobs
from storage.tables import cache_files, cache_scopes
from storage.upsert import insert_into

SHARED = "shared"
MOST_FILES = 10_000  #: in a scope, so that its listing fits one answer

# Asked with every bundle: building a statement costs more than running it.
_VERSIONS = select(cache_scopes.c.scope, cache_scopes.c.version).where(
    or_(cache_scopes.c.scope == bindparam("of_owner"), cache_scopes.c.scope == SHARED)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFile:
    """An uploaded file; its bytes lie under `key` of the object store."""

    path: str
    size: int
    sha256: str
    key: str
    updated_at: datetime


def versions(connection: Connection, owner_id: str) -> tuple[int, int]:
    """Return the versions of an owner's and of the shared scope, 0 for one that never held a file."""
    found = {row.scope: row.version for row in connection.execute(_VERSIONS, {"of_owner": owner_id})}
    return found.get(owner_id, 0), found.get(SHARED, 0)


def files(connection: Connection, scope: str) -> list[CacheFile]:
    """Return a scope's files by path."""
    rows = connection.execute(select(cache_files).where(cache_files.c.scope == scope)).all()
    found = (
        CacheFile(path=row.path, size=row.size, sha256=row.sha256, key=row.key, updated_at=row.updated_at)
        for row in rows
    )
    return sorted(found, key=lambda file: file.path)


def room(connection: Connection, scope: str, path: str, limit_bytes: int) -> int:
    """Return how many bytes a file of this path may have, so that the scope holds no more than the limit."""
    others = (cache_files.c.scope == scope, cache_files.c.path != path)
    used = connection.execute(select(func.coalesce(func.sum(cache_files.c.size), 0)).where(*others))
    return max(0, limit_bytes - int(used.scalar_one()))


def put(
    connection: Connection, scope: str, path: str, *, size: int, sha256: str, key: str, limit_bytes: int
) -> str | None:
    """Keep a file, in place of one of the same path, whose key is noted as stale and returned.

    Raises:
        BadState: when a file lies where the path needs a folder, or a folder where it needs a file.
        Forbidden: when the scope would hold more than it may.
    """
    _bump(connection, scope)  # first, so that of two at once the second waits and sees what the first did
    _check_place(connection, scope, path)
    if room(connection, scope, path, limit_bytes) < size:
        raise Forbidden(f"the cache may hold {limit_bytes} bytes; delete something first")
    one = (cache_files.c.scope == scope, cache_files.c.path == path)
    old = connection.execute(select(cache_files.c.key).where(*one)).scalar_one_or_none()
    if old is None and _number(connection, scope) >= MOST_FILES:
        raise Forbidden(f"the cache may hold {MOST_FILES} files; delete some first")
    content = {"size": size, "sha256": sha256, "key": key, "updated_at": db_now()}
    connection.execute(
        insert_into(connection, cache_files)
        .values(scope=scope, path=path, **content)
        .on_conflict_do_update(index_elements=["scope", "path"], set_=content)
    )
    if old is not None and old != key:
        stale_blobs.drop(connection, [old])
    return old


def remove(connection: Connection, scope: str, path: str) -> list[str]:
    """Forget a file, or all files of a folder, and return their keys, which are noted as stale."""
    condition = (cache_files.c.scope == scope, or_(cache_files.c.path == path, _below(path)))
    gone = delete(cache_files).where(*condition).returning(cache_files.c.key)
    keys = list(connection.execute(gone).scalars())
    if keys:
        _bump(connection, scope)
        stale_blobs.drop(connection, keys)
    return keys


def _bump(connection: Connection, scope: str) -> None:
    first = insert_into(connection, cache_scopes).values(scope=scope, version=1)
    grown = {"version": cache_scopes.c.version + 1}
    connection.execute(first.on_conflict_do_update(index_elements=["scope"], set_=grown))


def _check_place(connection: Connection, scope: str, path: str) -> None:
    above = [str(it) for it in PurePosixPath(path).parents][:-1]
    file = _first(connection, scope, cache_files.c.path.in_(above)) if above else ()
    if file:
        raise BadState(f"{file[0]} is a file, so nothing can lie below it", field="path")
    if _first(connection, scope, _below(path)):
        raise BadState(f"{path} is a folder, so it can't be a file", field="path")


def _first(connection: Connection, scope: str, condition: ColumnElement[bool]) -> Sequence[str]:
    query = select(cache_files.c.path).where(cache_files.c.scope == scope, condition).limit(1)
    return connection.execute(query).scalars().all()


def _number(connection: Connection, scope: str) -> int:
    query = select(func.count()).select_from(cache_files).where(cache_files.c.scope == scope)
    return connection.execute(query).scalar_one()


def _below(path: str) -> ColumnElement[bool]:
    folder = f"{path}/"
    # Not LIKE, which takes A for a on SQLite.
    return func.substr(cache_files.c.path, 1, len(folder)) == folder
