"""What the params of an S3-family source or destination say, in any of their published spellings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridloom.buckets import BucketKind, BucketPlace
from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.buckets.dialects import is_bucket, is_region
from storage.descriptors import Descriptor
from storage.public_url import check_url

KINDS: dict[Descriptor, BucketKind] = {
    Descriptor.AWS: "aws",
    Descriptor.S3: "aws",
    Descriptor.GCP: "gcp",
    Descriptor.STORJ: "storj",
}
_MOST_NAMES = 10_000
_MAX_NAME_BYTES = 1024  # of a key in S3


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketParams:
    """`names` are what a source reads, or the one folder of a destination ("" is the whole bucket); `place` holds
    keys only where the params do."""

    place: BucketPlace
    names: tuple[str, ...]
    secret_id: str = ""
    overwrite: bool = False


def parse_bucket_params(
    descriptor: Descriptor, params: Mapping[str, Any], field: str, allow: PrivateHosts
) -> BucketParams:
    """Read the params of an S3 kind; `field` is "dataSource" or "dataDestination".

    Raises:
        BadInput: naming the member that is missing or can't be right.
    """
    reader = _Reader(params, f"{field}.params")
    bucket = reader.text("bucketName", "bucket_name")
    if not bucket:
        raise reader.bad("bucketName", "is missing")
    if not is_bucket(bucket):
        raise reader.bad("bucketName", "must be the plain name of a bucket: letters, digits, dots, - and _")
    place = BucketPlace(
        kind=KINDS[descriptor],
        bucket=bucket,
        region=reader.region(),
        endpoint=reader.endpoint(allow),
        access_key=reader.key("accessKey", "access_key"),
        secret_key=reader.key("secretKey", "secret_key"),
        session_token=reader.key("sessionToken", "session_token"),
    )
    names = source_names(params) if field == "dataSource" else reader.names()
    if field == "dataDestination" and len(names) > 1:
        raise reader.bad("name", "must be one folder")
    if field == "dataDestination" and not {".", ".."}.isdisjoint(names[0].split("/")):
        # Servers refuse these or lead elsewhere, which nobody should learn when all is computed.
        raise reader.bad("name", "must hold no . or .. between slashes")
    return BucketParams(
        place=place,
        names=names,
        secret_id=reader.text("secret_id", "secretId"),
        overwrite=reader.flag("overwrite"),
    )


def source_names(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in a source's params.

    Raises:
        BadInput: when there are none, or one can't be right.
    """
    reader = _Reader(params, "dataSource.params")
    names = reader.names()
    if not (names and all(name.strip("/") for name in names)):
        raise reader.bad(
            "name",
            "is missing: a file's path, a folder, a pattern (** for the whole bucket) or a list of these",
        )
    return names


class _Reader:
    def __init__(self, params: Mapping[str, Any], where: str) -> None:
        self._params, self._where = params, where

    def text(self, *names: str) -> str:
        for name in names:
            value = self._params.get(name)
            if value is not None and not isinstance(value, str):
                raise self.bad(name, "must be a string")
            if value:
                return value
        return ""

    def key(self, *names: str) -> str:
        value = self.text(*names)
        if not value.isprintable():
            raise self.bad(names[0], "holds a line's end or another control character")
        return value

    def region(self) -> str:
        value = self.text("cloudRegion", "cloud_region")
        if value and not is_region(value):
            raise self.bad("cloudRegion", "must be a region's name, like eu-west-1")
        return value

    def flag(self, name: str) -> bool:
        value = self._params.get(name)
        if value in (None, "", False, "false"):
            return False
        if value in (True, "true"):
            return True
        raise self.bad(name, "must be true or false")

    def names(self) -> tuple[str, ...]:
        value = self._params.get("name")
        values = value if isinstance(value, list) else [value or ""]
        if len(values) > _MOST_NAMES:
            raise self.bad("name", f"lists more than {_MOST_NAMES} names")
        for it in values:
            if not isinstance(it, str):
                raise self.bad("name", "must be a string or a list of strings")
            try:
                size = len(it.encode())
            except UnicodeEncodeError:
                raise self.bad("name", "holds half a surrogate pair") from None
            if size > _MAX_NAME_BYTES:
                raise self.bad("name", f"holds a name of more than {_MAX_NAME_BYTES} bytes")
            if "\0" in it:
                raise self.bad("name", "holds a zero character")
        return tuple(values)

    def endpoint(self, allow: PrivateHosts) -> str:
        value = self.text("endpoint")
        if value:
            try:
                check_url(value, allow)
            except BadInput as error:
                raise self.bad("endpoint", error.message) from None
        return value.rstrip("/")

    def bad(self, name: str, problem: str) -> BadInput:
        place = f"{self._where}.{name}"
        return BadInput(f"{place} {problem}", field=place)
