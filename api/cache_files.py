"""Takes files into a cache and shows what lies there: the object store holds the bytes, the database the index."""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from posixpath import basename

from sqlalchemy import Connection

from api.context import Context
from api.links import UPLOAD_LIFE, UPLOAD_PATH, LinkMaker
from api.shapes.cache import CacheEntry, CacheUploadResponse
from api.tokens import ADMIN, Caller
from gridloom.cache_paths import check_cache_path
from gridloom.errors import BadInput, Forbidden, GridloomError, NotFound
from storage.links import LinkClaims, LinkKind
from storage.repositories import cache, stale_blobs
from storage.repositories.cache import SHARED, CacheFile

_MIB = 1024 * 1024


def scope_of(caller: Caller, name: str, *, to_write: bool = False) -> str:
    """Return the scope that `user`, which is meant where nothing is said, or `shared` is for the caller.

    Raises:
        BadInput: when it is another word.
        Forbidden: when someone else than an admin wants to write to the shared one.
    """
    if name not in ("", "user", "shared"):
        raise BadInput("scope must be user or shared", field="scope")
    if name != "shared":
        return caller.account_id
    if to_write and caller.role != ADMIN:
        raise Forbidden("only an admin may change the shared cache")
    return SHARED


def receive(context: Context, scope: str, path: str, blocks: Iterable[bytes]) -> CacheEntry:
    """Store a file, in place of one of the same path; workers fetch it before their next task.

    Raises:
        BadInput: when the path is none, or lies where something else does.
        TooLarge, Forbidden: when the cache has no room for it.
        Unavailable: when it took more than a day.
    """
    check_cache_path(path)
    most = context.settings.max_cache_mib * _MIB
    with context.database.read() as connection:
        room = cache.room(connection, scope, path, most)
    place = SHARED if scope == SHARED else f"users/{scope}"
    key = f"cache/{place}/{secrets.token_hex(16)}"
    digest = hashlib.sha256()
    limit_bytes = min(room, context.settings.max_upload_mib * _MIB)
    context.writer.run(lambda connection: stale_blobs.expect(connection, key))
    size = context.store.put_stream(key, _hashed(blocks, digest), limit_bytes).size

    def keep(connection: Connection) -> str | None:
        stale_blobs.name(connection, key)
        sha256 = digest.hexdigest()
        return cache.put(connection, scope, path, size=size, sha256=sha256, key=key, limit_bytes=most)

    try:
        old = context.writer.run(keep)
    except GridloomError:  # after any other error it may be committed nonetheless
        context.store.delete(key)
        raise
    if old:
        context.store.delete(old)
    return CacheEntry(name=basename(path), path=path, is_dir=False, size=size, updated_at=datetime.now(UTC))


def upload_link(links: LinkMaker, caller: Caller, scope: str, path: str) -> CacheUploadResponse:
    """Return where the file's bytes may be put during the next hour, without a token.

    Raises:
        BadInput: when the path is none.
    """
    claims = LinkClaims(
        kind=LinkKind.CACHE, scope=scope, path=check_cache_path(path), account=caller.account_id
    )
    expires_at = datetime.now(UTC) + UPLOAD_LIFE
    url = f"{links.base}{UPLOAD_PATH}{links.signer.sign('PUT', claims, expires_at)}"
    return CacheUploadResponse(upload_url=url, expires_at=expires_at)


def forget(context: Context, scope: str, path: str) -> int:
    """Delete a file, or a folder with all in it, and return the number of files; workers follow suit.

    Raises:
        BadInput: when the path is none.
        NotFound: when nothing lies there.
    """
    check_cache_path(path)
    keys = context.writer.run(lambda connection: cache.remove(connection, scope, path))
    if not keys:
        raise NotFound(f"the cache has no {path!a}")
    for key in keys:
        context.store.delete(key)
    return len(keys)


def entries_of(files: Sequence[CacheFile], folder: str) -> list[CacheEntry]:
    """Return what lies right in a folder, "" being the top one, by name; for a file's path that file."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, CacheEntry] = {}
    for file in files:
        if file.path == folder:
            return [_entry(basename(folder), file.path, file, None, is_dir=False)]
        if file.path.startswith(prefix):
            name, slash, _ = file.path[len(prefix) :].partition("/")
            found[name] = _entry(name, prefix + name, file, found.get(name), is_dir=bool(slash))
    return [found[name] for name in sorted(found)]


def _entry(name: str, path: str, file: CacheFile, so_far: CacheEntry | None, *, is_dir: bool) -> CacheEntry:
    return CacheEntry(
        name=name,
        path=path,
        is_dir=is_dir,
        size=file.size + (so_far.size if so_far else 0),
        updated_at=max(file.updated_at, so_far.updated_at) if so_far else file.updated_at,
    )


def _hashed(blocks: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for block in blocks:
        digest.update(block)
        yield block
