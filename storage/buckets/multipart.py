"""An upload in parts: begun, sent side by side, and completed, or else aborted."""

import base64
import hashlib
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import structlog

from storage.buckets.failures import Failure
from storage.buckets.listing import exists, look
from storage.buckets.objects import Label, ObjectInfo, Progress
from storage.buckets.session import Session
from storage.buckets.window import Held, Window
from storage.side_by_side import SideBySide

log = structlog.get_logger()
PartBody = bytes | Window


class Multipart:
    """Leaves nothing behind unless `complete` was called inside."""

    def __init__(self, session: Session, key: str, label: Label) -> None:
        self._session, self._key, self._label = session, key, label
        self._id = ""
        self._etags: dict[int, str] = {}
        self._size = 0

    def __enter__(self) -> Self:
        answer = self._session.call("create_multipart_upload", Key=self._key, **self._label.params())
        self._id = answer.get("UploadId", "")
        if not self._id:
            raise Failure(code="MalformedAnswer", message="the server tells no id of an upload")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._id:
            return
        try:
            self._session.call("abort_multipart_upload", Key=self._key, UploadId=self._id)
        except Failure as failure:
            log.warning(
                "bucket_upload_left",
                bucket=self._session.access.place.bucket,
                key=self._key,
                code=failure.code,
                reason=failure.message[:200],
            )

    def send(self, parts: Iterable[PartBody], width: int, on_progress: Progress) -> None:
        """Send parts in their order's numbers, `width` at a time; the server checks each."""

        def send_one(numbered: tuple[int, PartBody]) -> None:
            number, body = numbered
            md5 = (
                body.md5() if isinstance(body, Window) else hashlib.md5(body, usedforsecurity=False).digest()
            )
            answer = self._session.call(
                "upload_part",
                Key=self._key,
                UploadId=self._id,
                PartNumber=number,
                Body=body if isinstance(body, Window) else Held(body),
                ContentMD5=base64.b64encode(md5).decode(),
            )
            self._etags[number] = answer.get("ETag", "")
            on_progress(len(body))

        def counted() -> Iterable[tuple[int, PartBody]]:
            for number, body in enumerate(parts, 1):
                self._size += len(body)
                yield number, body

        SideBySide(self._session.pool, width).each(send_one, counted())

    def complete(self, *, only_new: bool) -> ObjectInfo:
        """Make an object of the parts; with `only_new` fail when the key was taken meanwhile."""
        create = only_new and self._session.conditional_puts
        try:
            etag = self._finish(create)
        except Failure as failure:
            if create and self._session.without_conditions(failure):
                claim(self._session, self._key, only_new=True)
                etag = self._finish(create=False)
            elif failure.retried and (failure.missing or failure.unmet):
                etag = self._earlier_try(failure)
            else:
                raise
        self._id = ""
        return ObjectInfo(
            key=self._key,
            size=self._size,
            etag=etag,
            content_type=self._label.content_type,
            metadata=dict(self._label.metadata),
        )

    def _finish(self, create: bool) -> str:
        params = {"IfNoneMatch": "*"} if create else {}
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self._etags.items())]
        answer = self._session.call(
            "complete_multipart_upload",
            Key=self._key,
            UploadId=self._id,
            MultipartUpload={"Parts": parts},
            **params,
        )
        return str(answer.get("ETag", "")).strip('"')

    def _earlier_try(self, failure: Failure) -> str:
        """Return the ETag of what an earlier try, whose answer was lost, made of the parts."""
        found = look(self._session, self._key)
        if found.size != self._size or not found.etag.endswith(f"-{len(self._etags)}"):
            raise failure
        return found.etag


def claim(session: Session, key: str, *, only_new: bool) -> bool:
    """Tell whether the put itself must ask that the key be free.

    Raises:
        Failure: when the key is taken, as far as can be told beforehand.
    """
    if not only_new or session.conditional_puts:
        return only_new
    if exists(session, key):
        raise Failure(status=412)
    return False
