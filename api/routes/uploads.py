"""/files/upload: where bytes of `file` sources and caches are put, with a signed link and no other credential."""

import hashlib
import secrets
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
from anyio import from_thread, to_thread
from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.requests import ClientDisconnect

from api import cache_files
from api.context import Context
from api.deps import ContextDep, RequestIdDep
from api.links import UPLOAD_PATH
from api.multipart import FilePart, disposition_name
from api.shapes.base import GenericResponse
from api.tokens import ADMIN
from gridloom.errors import BadInput, BadState, Forbidden, TooLarge
from gridloom.file_names import safe_file_name
from storage.links import LinkClaims, LinkKind
from storage.repositories import accounts, jobs
from storage.repositories.cache import SHARED

router = APIRouter(tags=["Files"])

_MIB = 1024 * 1024
_BLOCK_BYTES = _MIB
_NO_BODY_CAP = 2**63 - 1  # GRIDLOOM_MAX_BODY_MIB is for JSON; uploads have a cap of their own


@router.put(UPLOAD_PATH + "{token}", max_body_size=_NO_BODY_CAP)
async def upload(
    token: str, request: Request, context: ContextDep, request_id: RequestIdDep
) -> GenericResponse:
    """Store a draft's source file or one for a cache; the body is it, or multipart/form-data with it as first part."""
    claims = context.links.verify(token, "PUT", datetime.now(UTC))
    if claims.kind not in (LinkKind.UPLOAD, LinkKind.CACHE):
        raise Forbidden("the link is not for uploads")
    _check_announced(request, context)
    # A thread of its own, so that slow uploads never use up those of other calls.
    read = _reader(request)
    work = partial(_take, request, context, claims, lambda: from_thread.run(read))
    await to_thread.run_sync(work, limiter=anyio.CapacityLimiter(1))
    return GenericResponse(request_id=request_id, message="stored")


def _check_announced(request: Request, context: Context) -> None:
    limit = context.settings.max_upload_mib * _MIB
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise TooLarge(f"the upload has {length} bytes; the limit is {limit}")


def _reader(request: Request) -> Callable[[], Coroutine[Any, Any, bytes]]:
    """Return a coroutine function that gives about a MiB of the body with each call, and nothing at its end."""
    stream = request.stream()

    async def read() -> bytes:
        held: list[bytes] = []
        size = 0
        try:
            async for piece in stream:
                held.append(piece)
                size += len(piece)
                if size >= _BLOCK_BYTES:
                    break
        except ClientDisconnect as error:
            raise BadInput("the upload broke off") from error
        return b"".join(held)

    return read


def _take(request: Request, context: Context, claims: LinkClaims, read: Callable[[], bytes]) -> None:
    request.state.acting = (_allowed(context, claims), None)
    if claims.kind is LinkKind.UPLOAD:
        _store(request, context, claims.job, read)
        return
    content_type, body = request.headers.get("content-type", ""), iter(read, b"")
    if _is_form(content_type):
        body = FilePart(content_type).unpack(body)
    cache_files.receive(context, claims.scope, claims.path, body)


def _allowed(context: Context, claims: LinkClaims) -> str:
    """Return whose link it is.

    Raises:
        Forbidden: when they could not do the same with a token any more.
    """
    with context.database.read() as connection:
        job = jobs.linked(connection, claims.job) if claims.kind is LinkKind.UPLOAD else None
        account = accounts.enabled(connection, job.owner_id if job else claims.account)
    if claims.scope == SHARED and account.role != ADMIN:
        raise Forbidden("only an admin may change the shared cache")
    return account.id


def _store(request: Request, context: Context, job_id: str, read: Callable[[], bytes]) -> None:
    key, earlier = context.writer.run(lambda connection: _begin(connection, job_id))
    try:
        if earlier:
            context.store.delete(earlier)
        name, stored = _put(request, context, key, iter(read, b""))
        context.writer.run(lambda connection: _finish(connection, job_id, name, stored))
    except BaseException:
        context.store.delete(key)
        raise


def _put(request: Request, context: Context, key: str, body: Iterator[bytes]) -> tuple[str, dict[str, Any]]:
    """Store the body and return the file's proposed name, and what the job keeps of it: key, size and digest."""
    limit = context.settings.max_upload_mib * _MIB
    name = disposition_name(request.headers.get("content-disposition", ""))
    content_type = request.headers.get("content-type", "")
    part = FilePart(content_type) if _is_form(content_type) else None
    digest = hashlib.sha256()
    file = _digested(part.unpack(body) if part else body, digest)
    size = context.store.put_stream(key, file, limit).size
    return name or (part.name if part else ""), {"key": key, "size": size, "sha256": digest.hexdigest()}


def _digested(body: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for data in body:
        digest.update(data)
        yield data


def _is_form(content_type: str) -> bool:
    return content_type.startswith("multipart/form-data")


def _begin(connection: Connection, job_id: str) -> tuple[str, str | None]:
    """Note that an upload runs, so that the job can't; return its own key and that of the file it replaces."""
    job = jobs.draft(connection, job_id)
    if (job.data_source or {}).get("dataSourceDescriptor") != "file":
        raise BadState(f"the data source of job {job_id} is not a file")
    key = f"jobs/{job_id}/source/{secrets.token_hex(8)}"
    jobs.change(connection, job_id, upload={"key": key, "name": "", "size": None, "confirmed": False})
    return key, (job.upload or {}).get("key")


def _finish(connection: Connection, job_id: str, name: str, stored: dict[str, Any]) -> None:
    job = jobs.draft(connection, job_id)
    if (job.upload or {}).get("key") != stored["key"]:
        raise BadState(f"another upload for job {job_id} began meanwhile")
    proposed = name or str((job.data_source or {}).get("params", {}).get("name") or "")
    upload = stored | {"name": safe_file_name(proposed), "confirmed": False}
    jobs.change(connection, job_id, upload=upload)
