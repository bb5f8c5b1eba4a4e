"""/files/get: output and archives, with a signed link and no other credential."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from sqlalchemy import Row

from api.context import Context
from api.deps import ContextDep
from api.links import DOWNLOAD_PATH
from api.zip_stream import Member, zip_blocks
from gridloom.errors import NotFound
from gridloom.file_headers import attachment, media_type
from gridloom.wire import INLINE_RESULT_BYTES
from storage.joined_reads import BATCH_BYTES, SMALL_BYTES, Piece, read_joined
from storage.links import LinkClaims, LinkKind
from storage.repositories import accounts, jobs, outputs

router = APIRouter(tags=["Files"])

_PAGE_ROWS = 1000
_LINK_S = 15 * 60
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@router.api_route(DOWNLOAD_PATH + "{token}", methods=["GET", "HEAD"])
def download(token: str, request: Request, context: ContextDep) -> Response:
    """Send a file, or one range of it, or all of a job's output as a zip file.

    What is a whole object of a store that users can reach is fetched from there.
    """
    claims = context.links.verify(token, request.method, datetime.now(UTC))
    if claims.kind is LinkKind.UPLOAD:
        raise NotFound("the link leads to nothing to download")
    if not claims.job:
        info = context.store.info(claims.path)
        return _file(request, context, claims.name, info.key, 0, info.size)
    job = _job(context, claims)
    if claims.kind is LinkKind.ARCHIVE:
        headers = _headers(claims.name)
        return _answer(request, 200, headers, zip_blocks(_members(context, job)))
    with context.database.read() as connection:
        found = outputs.find(connection, job.id, job.output_epoch, claims.path)
    if found is None:
        raise NotFound(f"job {job.id} has no output {claims.path!a}")
    return _file(request, context, claims.name, found.key, found.offset, found.size)


def check_kept(job: Row[Any]) -> None:
    """Raise NotFound when a job's output is no longer kept."""
    if job.purged_at or (job.output_expires_at and job.output_expires_at <= datetime.now(UTC)):
        until = job.output_expires_at or job.purged_at
        raise NotFound(
            f"the output of job {job.id} was kept until {until:%Y-%m-%d %H:%M:%S} UTC and is deleted"
        )


def _job(context: Context, claims: LinkClaims) -> Row[Any]:
    with context.database.read() as connection:
        job = jobs.linked(connection, claims.job)
        accounts.enabled(connection, job.owner_id)
    check_kept(job)
    return job


def _members(context: Context, job: Row[Any]) -> Iterator[Member]:
    after = ""
    while True:
        with context.database.read() as connection:
            rows = outputs.page(connection, job.id, job.output_epoch, limit=_PAGE_ROWS, after=after)
        for batch in _batches(rows):
            yield from _members_of(context, batch)
        if len(rows) < _PAGE_ROWS:
            return
        after = rows[-1].path


def _batches(rows: Sequence[Row[Any]]) -> Iterator[list[Row[Any]]]:
    batch, size = list[Row[Any]](), 0
    for row in rows:
        batch.append(row)
        size += row.size if row.size <= SMALL_BYTES else 0
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _members_of(context: Context, rows: Sequence[Row[Any]]) -> Iterator[Member]:
    """Yield members; small ones are read together."""
    small = [row for row in rows if row.size <= SMALL_BYTES]
    data = iter(read_joined(context.store, [Piece(row.key, row.offset, row.size) for row in small]))
    for row in rows:
        read: Callable[[], Iterator[bytes]] = partial(context.store.stream, row.key, row.offset, row.size)
        if row.size <= SMALL_BYTES:
            read = partial(iter, (bytes(next(data)),))
        yield Member(name=row.path, size=row.size, read=read)


def _file(request: Request, context: Context, name: str, key: str, offset: int, size: int) -> Response:
    if request.method == "GET" and (url := _link(context, name, key, offset, size)):
        # A client carries its Range over.
        return RedirectResponse(url, 307, headers={"Cache-Control": "no-store"})
    first, last = _range(request.headers.get("range", ""), size)
    length = last - first + 1
    headers = _headers(name) | {"Accept-Ranges": "bytes", "Content-Length": str(length)}
    if length < size:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if request.method == "HEAD":
        context.store.info(key)
        return Response(status_code=200 if length == size else 206, headers=headers)
    blocks = context.store.stream(key, offset + first, length)
    return _answer(request, 200 if length == size else 206, headers, blocks)


def _link(context: Context, name: str, key: str, offset: int, size: int) -> str | None:
    """Return where the store itself gives the file, if it is an object of its own; small ones are mostly packed."""
    if offset or size <= INLINE_RESULT_BYTES:
        return None
    url = context.store.link(key, _LINK_S, name, media_type(name))
    return url if url and context.store.info(key).size == size else None


def _range(header: str, size: int) -> tuple[int, int]:
    """Return the first and last byte that a Range header asks for; all of them when it can't be met, as RFC 9110 allows."""
    match = _RANGE.fullmatch(header.strip())
    if not match or not (match[1] or match[2]):
        return 0, size - 1
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
    return (first, last) if first <= last else (0, size - 1)


def _headers(name: str) -> dict[str, str]:
    return {
        "Content-Disposition": attachment(name),
        "Content-Type": media_type(name),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private",
    }


def _answer(request: Request, status: int, headers: dict[str, str], blocks: Iterator[bytes]) -> Response:
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(blocks, status, headers)
