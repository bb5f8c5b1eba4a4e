"""URLs of stores in buckets: s3://BUCKET/PREFIX?endpoint=URL&region=NAME&kind=KIND&public_endpoint=URL."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from gridloom.buckets import BucketKind, BucketPlace
from gridloom.errors import BadInput, SetupFailed
from storage.blobs import check_key
from storage.buckets.dialects import DIALECTS

URL_SETTING, KEY_SETTING, SECRET_SETTING = (
    "GRIDLOOM_STORE_URL",
    "GRIDLOOM_STORE_ACCESS_KEY",
    "GRIDLOOM_STORE_SECRET_KEY",
)
_MEMBERS = ("endpoint", "region", "kind", "public_endpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketUrl:
    """Where a store is; `link_endpoint` is where users reach the bucket, "" the kind's own host, None nowhere."""

    place: BucketPlace
    prefix: str
    link_endpoint: str | None


def parse_bucket_url(url: str, access_key: str, secret_key: str) -> BucketUrl:
    """Read a store's URL; without keys AWS's own variables and roles give them.

    Raises:
        SetupFailed: naming the setting that is wrong.
    """
    if bool(access_key) != bool(secret_key):
        missing = SECRET_SETTING if access_key else KEY_SETTING
        raise SetupFailed(f"{missing} is not set; the store's bucket takes both keys or none")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _bad(f"can't be read: {error}") from error
    bucket, prefix = unquote(parts.netloc), unquote(parts.path).strip("/")
    if "@" in bucket:
        raise _bad(f"must not hold keys; set {KEY_SETTING} and {SECRET_SETTING}")
    if not bucket or ":" in bucket or parts.fragment:
        raise _bad("must read s3://BUCKET/PREFIX, with members such as ?endpoint=URL&region=NAME")
    try:
        prefix and check_key(prefix)
    except BadInput:
        raise _bad(
            f"has the prefix {prefix!a}; use letters, digits and ._=- between single slashes"
        ) from None
    members = _members(parts.query)
    place = BucketPlace(
        kind=_kind(members.get("kind", "aws")),
        bucket=bucket,
        region=members.get("region", ""),
        endpoint=_endpoint(members, "endpoint"),
        access_key=access_key,
        secret_key=secret_key,
    )
    public = _endpoint(members, "public_endpoint")
    return BucketUrl(
        place=place, prefix=prefix, link_endpoint=None if place.endpoint and not public else public
    )


def _members(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _MEMBERS:
            raise _bad(f"has an unknown member {name[:50]!a}; it takes {', '.join(_MEMBERS)}")
        if name in found or not value:
            raise _bad(f"must say {name} once")
        found[name] = value
    return found


def _kind(name: str) -> BucketKind:
    for kind in DIALECTS:
        if name == kind:
            return kind
    raise _bad(f"has the kind {name[:50]!a}; it is one of {', '.join(DIALECTS)}")


def _endpoint(members: dict[str, str], name: str) -> str:
    value = members.get(name, "").rstrip("/")
    parts = urlsplit(value)
    if value and (
        parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query
    ):
        raise _bad(f"has the {name} {value[:200]!a}; it must be the http:// or https:// URL of a server")
    return value


def _bad(problem: str) -> SetupFailed:
    return SetupFailed(f"{URL_SETTING} {problem}")
