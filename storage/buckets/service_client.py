"""Speaks every call of the S3 protocol with boto3."""

import base64
from collections.abc import Generator
from contextlib import closing
from typing import Any

from storage.buckets.failures import BodyBroken, Failure, size_of
from storage.buckets.objects import Block, Body, Label, Stored
from storage.buckets.refusals import SERVICE_ERRORS, UNREADABLE, of_service, unreadable
from storage.buckets.window import Held


class ServiceClient:
    """boto3 on one bucket; raises Failure."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def call(self, operation: str, **params: Any) -> Any:
        """Make a call and return its answer."""
        try:
            return getattr(self._client, operation)(Bucket=self._bucket, **params)
        except SERVICE_ERRORS as error:
            raise of_service(error) from None
        except UNREADABLE as error:
            raise unreadable(error) from None

    def get(self, key: str, offset: int, length: int | None, etag: str, block: int) -> Body:
        """Ask for bytes of an object, of which there is at least one behind `offset`."""
        params = {"IfMatch": f'"{etag}"'} if etag else {}
        if offset or length is not None:
            params["Range"] = f"bytes={offset}-" + ("" if length is None else str(offset + length - 1))
        answer = self.call("get_object", Key=key, **params)
        if offset and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
            raise Failure(code="RangeIgnored", status=200, message="the server sends whole objects only")
        return Body(
            etag=answer.get("ETag", "").strip('"'),
            size=size_of(answer, "ContentLength"),
            blocks=_blocks(answer["Body"], block),
        )

    def put(self, key: str, data: bytes, md5: bytes, label: Label, *, create: bool) -> Stored:
        """Store bytes with one call; the server compares the digest."""
        params = {"IfNoneMatch": "*"} if create else {}
        answer = self.call(
            "put_object",
            Key=key,
            Body=Held(data),
            ContentMD5=base64.b64encode(md5).decode(),
            **label.params(),
            **params,
        )
        return Stored(etag=answer.get("ETag", "").strip('"'), checked=True)

    def region(self) -> str:
        """Return the region where the server says the bucket lies, empty when it does not say."""
        try:
            return str(self.call("head_bucket").get("BucketRegion", ""))
        except Failure as failure:
            return failure.region

    def presign(self, params: dict[str, str], expires_s: int) -> str:
        """Return a URL for reading an object."""
        try:
            params = {"Bucket": self._bucket, **params}
            return str(self._client.generate_presigned_url("get_object", params, expires_s))
        except SERVICE_ERRORS as error:
            raise of_service(error) from None

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


def _blocks(body: Any, block: int) -> Generator[Block, None, None]:
    with closing(body):
        try:
            while piece := body.read(block):
                yield piece
        except SERVICE_ERRORS as error:
            raise BodyBroken(message=of_service(error).message, unreachable=True) from None
