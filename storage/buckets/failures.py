"""Says in the fabric's words what went wrong with a bucket, whichever client met it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from gridloom.buckets import BucketPlace
from gridloom.errors import (
    AddressRefused,
    BucketDenied,
    BucketFailed,
    BucketFull,
    BucketUnavailable,
    GridloomError,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
)

Permission = Literal["list", "read", "write", "delete"]

ACTIONS: dict[Permission, str] = {
    "list": "s3:ListBucket",
    "read": "s3:GetObject",
    "write": "s3:PutObject",
    "delete": "s3:DeleteObject",
}
"""What Amazon calls each permission."""

_BAD_KEYS = {
    "InvalidAccessKeyId": "its access key is not known there",
    "SignatureDoesNotMatch": "its secret key does not belong to its access key",
    "ExpiredToken": "its session token has expired",
    "TokenRefreshRequired": "its session token has expired",
    "InvalidToken": "its session token is not valid there",
    "RequestTimeTooSkewed": "the clocks of this machine and the server differ too much",
}
_BUSY_CODES = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "XAmzContentSHA256Mismatch",
}
_BUSY_STATUS = {408, 425, 429, 500, 502, 503, 504}
_FULL_CODES = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"}
_REFUSED_CODES = {"NotImplemented", "InvalidArgument", "MethodNotAllowed", "UnsupportedOperation"}
_CODE_CHARS, _MESSAGE_CHARS = 64, 1000
_MOST_BYTES = (1 << 63) - 1
_REGION_CODES = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "IncorrectEndpoint",
}


@dataclass(eq=False, kw_only=True)
class Failure(Exception):
    """Raised inside this package when a call fails; `status` is 0 when there was no answer.

    `retried` tells that the client had sent the call before and never learnt what came of it; `permission` which one
    it took, when that is not the one that the caller's method is about.
    """

    code: str = ""
    status: int = 0
    message: str = ""
    region: str = ""
    retried: bool = False
    unreachable: bool = False
    permission: Permission | None = None

    def __post_init__(self) -> None:
        # A server says what it likes, and it is quoted to users and logs.
        self.code, self.region = _plain(self.code, _CODE_CHARS), _plain(self.region, _CODE_CHARS)
        self.message = _plain(self.message, _MESSAGE_CHARS)

    @property
    def missing(self) -> bool:
        """Whether the object, its upload or its bucket isn't there."""
        return self.status == 404 or self.code in ("NoSuchKey", "NoSuchBucket")

    @property
    def unmet(self) -> bool:
        """Whether a condition of the call did not hold."""
        return self.status == 412 or self.code == "PreconditionFailed"

    @property
    def out_of_range(self) -> bool:
        """Whether the object ends before the bytes that were asked for."""
        return self.status == 416 or self.code == "InvalidRange"

    @property
    def busy(self) -> bool:
        """Whether the same call may succeed later."""
        return self.unreachable or self.code in _BUSY_CODES or self.status in _BUSY_STATUS

    @property
    def unsupported(self) -> bool:
        """Whether the server does not know what it was asked to do."""
        return self.status in (405, 501) or self.code in _REFUSED_CODES

    @property
    def wrong_region(self) -> bool:
        """Whether the call went to, or was signed for, another region than the bucket's."""
        return self.status == 301 or self.code in _REGION_CODES

    @property
    def sure(self) -> bool:
        """Whether another client would be told the same."""
        return self.missing or self.unmet or self.out_of_range or self.busy or self.wrong_region


class BodyBroken(Failure):
    """Raised when an answer's body ends before it should, so that the rest is worth asking for again."""


def size_of(answer: Mapping[str, Any], name: str) -> int:
    """Return an object's size as an answer tells it.

    Raises:
        Failure: when it tells none that can be.
    """
    size = answer.get(name)
    if not isinstance(size, int) or not 0 <= size <= _MOST_BYTES:
        raise Failure(
            code="MalformedAnswer", message=f"the server tells an impossible size: {str(size)[:40]}"
        )
    return size


@contextmanager
def explained(place: BucketPlace, permission: Permission, key: str = "") -> Iterator[None]:
    """Turn failures inside into the errors that users see.

    Raises:
        GridloomError: BucketUnavailable, BucketFailed or one of its children.
    """
    try:
        yield
    except Failure as failure:
        raise explain(failure, place, failure.permission or permission, key) from None
    except AddressRefused as refused:
        raise BucketFailed(
            f"the endpoint {place.endpoint} of bucket {place.bucket}: {refused.message}", member="endpoint"
        ) from None


def explain(failure: Failure, place: BucketPlace, permission: Permission, key: str) -> GridloomError:
    """Return what a user is told about a failure; never anything of the keys' secrets."""
    what = f"bucket {place.bucket}" + (f", object {key!r}" if key else "")
    detail = " ".join(f"{failure.status or ''} {failure.code} {failure.message[:300]}".split())
    if failure.missing:
        return _missing(failure, place, key)
    if failure.unmet or failure.out_of_range:
        return _unmet(permission, place, key)
    if failure.code in _FULL_CODES or failure.status == 507:
        return BucketFull(f"{what}: there is no space left ({detail})")
    if failure.busy:
        return BucketUnavailable(f"{what}: {_server(place)} can't be reached or asks for patience ({detail})")
    refused = _refused(failure, place, permission, what, detail)
    if key and failure.status == 400:
        refused.member = refused.member or "name"
    return refused


def _refused(
    failure: Failure, place: BucketPlace, permission: Permission, what: str, detail: str
) -> BucketFailed:
    if failure.wrong_region:
        return BucketFailed(f"{what}: {_region(failure, place)} ({detail})", member="cloudRegion")
    if failure.code in _BAD_KEYS:
        return BucketDenied(f"{what}: the secret is refused, {_BAD_KEYS[failure.code]} ({failure.code})")
    if failure.status in (401, 403) or failure.code == "AccessDenied":
        return _denied(what, place, permission, detail)
    return BucketFailed(f"{what}: {_server(place)} refused to {permission} ({detail})")


def _missing(failure: Failure, place: BucketPlace, key: str) -> ObjectMissing:
    if failure.code == "NoSuchBucket" or not key:
        return ObjectMissing(f"there is no bucket {place.bucket} at {_server(place)}", member="bucketName")
    return ObjectMissing(f"bucket {place.bucket} has no object {key!r}")


def _unmet(permission: Permission, place: BucketPlace, key: str) -> BucketFailed:
    if permission == "write":
        return ObjectExists(f"bucket {place.bucket} has an object {key!r} already")
    return ObjectChanged(f"object {key!r} of bucket {place.bucket} changed since it was looked at")


def _denied(what: str, place: BucketPlace, permission: Permission, detail: str) -> BucketDenied:
    action = ACTIONS[permission]
    if not place.access_key:
        text = f"{what}: not open to everybody; a secret that allows {action} is needed ({detail})"
    else:
        text = f"{what}: the secret lacks the permission to {permission}, {action} ({detail})"
    return BucketDenied(text, permission=permission)


def _region(failure: Failure, place: BucketPlace) -> str:
    asked = place.region or "the usual one"
    if failure.region:
        return f"it lies in the region {failure.region}, not in {asked}"
    return f"it does not lie in the region that was asked, {asked}; set cloudRegion"


def _plain(text: str, most: int) -> str:
    """Return the beginning of a text as one printable line."""
    return "".join(it if it.isprintable() else " " for it in text[:most])


def _server(place: BucketPlace) -> str:
    return place.endpoint or {"aws": "Amazon S3", "gcp": "Google Cloud Storage", "storj": "Storj"}[place.kind]
