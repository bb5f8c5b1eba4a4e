"""/cache: browse, upload and delete what tasks find in USER_CACHE_DIR and SHARED_CACHE_DIR.

Only what was uploaded is listed; what tasks write to their cache stays on the machine that they ran on.
"""

from typing import Annotated

from fastapi import APIRouter, Query

from api import cache_files
from api.deps import CallerDep, ContextDep, PageDep, RequestIdDep
from api.json_route import JsonRoute
from api.links import LinksDep
from api.push import decode_base64
from api.shapes.base import GenericResponse, PaginatedResponse
from api.shapes.cache import CacheListResponse, CacheUploadRequest, CacheUploadResponse
from gridloom.cache_paths import check_cache_path
from gridloom.errors import BadInput, NotFound
from storage.repositories import cache

router = APIRouter(route_class=JsonRoute, tags=["Cache"])

Scope = Annotated[str, Query(description="user, the default, or shared")]


@router.get("/cache")
def get_cache(
    context: ContextDep, caller: CallerDep, page: PageDep, scope: Scope = "user", path: str = ""
) -> CacheListResponse:
    """List what was uploaded into a folder of the caller's cache or the shared one."""
    wanted = cache_files.scope_of(caller, scope)
    folder = path.strip("/")
    if folder:
        check_cache_path(folder)
    with context.database.read() as connection:
        entries = cache_files.entries_of(cache.files(connection, wanted), folder)
    if folder and not entries:
        raise NotFound(f"the cache has no {folder!a}")
    shown = entries[page.offset : page.offset + page.limit]
    pagination = PaginatedResponse.of(total=len(entries), offset=page.offset, rows=len(shown))
    return CacheListResponse(path=folder, entries=shown, pagination=pagination)


@router.post("/cache")
def upload_to_cache(
    context: ContextDep, caller: CallerDep, links: LinksDep, body: CacheUploadRequest, scope: Scope = "user"
) -> CacheUploadResponse:
    """Store a small file that comes along, or give a link to put a large one."""
    wanted = cache_files.scope_of(caller, scope, to_write=True)
    if not body.data and body.size != 0:
        return cache_files.upload_link(links, caller, wanted, body.path)
    data = decode_base64(body.data or "")
    if body.size is not None and body.size != len(data):
        raise BadInput(f"size is {body.size}, but data holds {len(data)} bytes", field="size")
    return CacheUploadResponse(entry=cache_files.receive(context, wanted, body.path, (data,)))


@router.delete("/cache")
def delete_from_cache(
    context: ContextDep, caller: CallerDep, request_id: RequestIdDep, path: str, scope: Scope = "user"
) -> GenericResponse:
    """Delete an uploaded file, or a folder with all in it."""
    wanted = cache_files.scope_of(caller, scope, to_write=True)
    number = cache_files.forget(context, wanted, path.rstrip("/"))
    return GenericResponse(request_id=request_id, message=f"{number} deleted")
