"""The workers' API: what was uploaded into a cache, for them to bring to their machine."""

from fastapi import APIRouter

from api.deps import ContextDep
from api.worker_gate import AnyWorkerDep
from gridloom.wire import CachedFile, CacheReply
from storage.repositories import cache

router = APIRouter(prefix="/internal/v1", include_in_schema=False)


@router.get("/cache", dependencies=[AnyWorkerDep])
def cached(scope: str, context: ContextDep) -> CacheReply:
    """Return all files of a scope and its version."""
    with context.database.read() as connection:
        own, shared = cache.versions(connection, scope)
        files = cache.files(connection, scope)
    return CacheReply(
        version=shared if scope == cache.SHARED else own,
        files=tuple(CachedFile(path=it.path, size=it.size, sha256=it.sha256, key=it.key) for it in files),
    )
