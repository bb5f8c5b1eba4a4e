"""Looks at what a bucket holds, and removes from it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import structlog

from storage.buckets.failures import Failure, size_of
from storage.buckets.objects import FolderPage, ObjectInfo
from storage.buckets.session import Session
from storage.side_by_side import SideBySide

log = structlog.get_logger()
_PAGE = 1000  # the most that S3 lists, or deletes, with one call
_MOST_UPLOAD_PAGES = 1000
_KEY_CHARS, _ETAG_CHARS = 4096, 1024  # four times what Amazon's may have


def look(session: Session, key: str) -> ObjectInfo:
    """Return what HEAD says of an object."""
    try:
        answer = session.call("head_object", Key=key)
    except Failure as failure:
        if failure.code or failure.busy:
            raise
        _ask_why(session, key)
        answer = session.call("head_object", Key=key)
    return ObjectInfo(
        key=key,
        size=size_of(answer, "ContentLength"),
        etag=_etag(answer),
        modified_at=answer.get("LastModified"),
        content_type=answer.get("ContentType", ""),
        metadata=answer.get("Metadata", {}),
    )


def exists(session: Session, key: str) -> bool:
    """Tell whether an object is there."""
    try:
        session.call("head_object", Key=key)
    except Failure as failure:
        if failure.missing and failure.code != "NoSuchBucket":
            return False
        failure.permission = "read"
        raise
    return True


def list_objects(
    session: Session, prefix: str, after: str, check: Callable[[], None]
) -> Iterator[ObjectInfo]:
    """Yield objects, asking for a page when the last is used up; `check` is called before each, for a server may send
    empty ones without end."""
    where = {"StartAfter": after} if after else {}
    while True:
        check()
        page = _page(session, prefix, **where)
        yield from _objects(page)
        token = page.get("NextContinuationToken", "")
        if not page.get("IsTruncated") or not token or where.get("ContinuationToken") == token:
            return
        where = {"ContinuationToken": token}


def folder_page(session: Session, prefix: str, after: str, limit: int) -> FolderPage:
    """Return what lies directly below a prefix; `after` is the server's own mark."""
    where: dict[str, Any] = {"ContinuationToken": after} if after else {}
    page = _page(session, prefix, Delimiter="/", MaxKeys=min(limit, _PAGE), **where)
    return FolderPage(
        folders=tuple(it.get("Prefix", "") for it in page.get("CommonPrefixes", ())),
        objects=tuple(_objects(page)),
        after=page.get("NextContinuationToken", "") if page.get("IsTruncated") else "",
    )


def delete_objects(session: Session, keys: Iterable[str]) -> int:
    """Delete objects and return how many were asked for."""
    left, count = iter(keys), 0
    while batch := list(islice(left, _PAGE)):
        count += len(batch)
        if len(batch) == 1 or not _delete_bulk(session, batch):
            singly = SideBySide(session.pool, session.access.transfers)
            singly.each(lambda key: session.call("delete_object", Key=key), batch)
    return count


def abort_uploads(session: Session, prefix: str, older_than_s: float, *, exact: bool = False) -> int:
    """Abort unfinished multipart uploads and return how many; none where they may not be listed."""
    before = datetime.now(UTC) - timedelta(seconds=older_than_s)
    count = 0
    try:
        for upload in _uploads(session, prefix):
            key, begun = upload.get("Key", ""), upload.get("Initiated")
            if begun and begun <= before and (key == prefix or not exact):
                _abort(session, key, upload.get("UploadId", ""))
                count += 1
    except Failure as failure:
        if not (failure.status == 403 or failure.code == "AccessDenied" or failure.unsupported):
            raise
        log.info("bucket_uploads_not_listed", bucket=session.access.place.bucket, code=failure.code)
    return count


def _ask_why(session: Session, key: str) -> None:
    """Ask for the first byte: unlike that of HEAD, the answer to a refused GET has a body that says why.

    Raises:
        Failure: what it says.
    """
    try:
        session.call("get_object", Key=key, Range="bytes=0-0")["Body"].close()
    except Failure as failure:
        if not failure.out_of_range:
            raise


def _page(session: Session, prefix: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = session.call("list_objects_v2", **{"Prefix": prefix, "MaxKeys": _PAGE} | params)
    return answer


def _objects(page: dict[str, Any]) -> Iterator[ObjectInfo]:
    for it in page.get("Contents", ()):
        key = it.get("Key", "")
        if not 0 < len(key) <= _KEY_CHARS:
            raise Failure(code="MalformedAnswer", message="the server lists an impossible key")
        yield ObjectInfo(
            key=key,
            size=size_of(it, "Size"),
            etag=_etag(it),
            modified_at=it.get("LastModified"),
        )


def _etag(answer: dict[str, Any]) -> str:
    etag: str = answer.get("ETag", "").strip('"')
    if len(etag) > _ETAG_CHARS:
        raise Failure(code="MalformedAnswer", message="the server tells an impossible ETag")
    return etag


def _delete_bulk(session: Session, keys: list[str]) -> bool:
    """Delete with one call; false when the server, or XML, does not take these keys so."""
    if not session.bulk_deletes or not all(key.isprintable() for key in keys):
        return False
    try:
        answer = session.call(
            "delete_objects", Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
    except Failure as failure:
        if failure.busy or failure.missing or failure.status in (401, 403):
            raise
        session.bulk_deletes = False
        log.info("bucket_deletes_singly", bucket=session.access.place.bucket, code=failure.code)
        return False
    for error in answer.get("Errors", ()):
        if error.get("Code") != "NoSuchKey":
            raise Failure(
                code=error.get("Code", ""), message=f"{error.get('Key')!r}: {error.get('Message', '')}"
            )
    return True


def _uploads(session: Session, prefix: str) -> Iterator[dict[str, Any]]:
    where: dict[str, Any] = {}
    for _ in range(_MOST_UPLOAD_PAGES):
        page = session.call("list_multipart_uploads", Prefix=prefix, **where)
        yield from page.get("Uploads", ())
        marks = {
            "KeyMarker": page.get("NextKeyMarker", ""),
            "UploadIdMarker": page.get("NextUploadIdMarker", ""),
        }
        if not page.get("IsTruncated") or marks == where:
            return
        where = marks


def _abort(session: Session, key: str, upload_id: str) -> None:
    try:
        session.call("abort_multipart_upload", Key=key, UploadId=upload_id)
    except Failure as failure:
        if not failure.missing:
            raise
