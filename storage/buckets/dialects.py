"""How the kinds of buckets differ though all speak the S3 protocol."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gridloom.buckets import BucketKind, BucketPlace
from gridloom.errors import BucketFailed
from gridloom.net_guard import PrivateHosts, literal_address

# Both become parts of URLs, and a region of Amazon's a part of the host's name.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", re.ASCII)
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`endpoint` is the kind's own server, empty where boto3 knows better; `conditional_puts` tells whether a put may
    ask that its key be free. Where `own_regions` is false the signature names `region` wherever the bucket lies."""

    endpoint: str
    region: str
    own_regions: bool
    conditional_puts: bool

    def endpoint_of(self, place: BucketPlace) -> str:
        """Return the URL of the server, empty for Amazon's own."""
        return place.endpoint or self.endpoint

    def region_of(self, place: BucketPlace) -> str:
        """Return the region that a signature names, empty when the place does not say and Amazon has many."""
        return place.region if self.own_regions else self.region


DIALECTS: dict[BucketKind, Dialect] = {
    "aws": Dialect(endpoint="", region="us-east-1", own_regions=True, conditional_puts=True),
    "gcp": Dialect(
        endpoint="https://storage.googleapis.com", region="auto", own_regions=False, conditional_puts=False
    ),
    "storj": Dialect(
        endpoint="https://gateway.storjshare.io", region="us1", own_regions=False, conditional_puts=False
    ),
}


def is_bucket(name: str) -> bool:
    """Tell whether a bucket may have this name."""
    return _BUCKET.fullmatch(name) is not None


def is_region(name: str) -> bool:
    """Tell whether a region may have this name."""
    return _REGION.fullmatch(name) is not None


def check_place(place: BucketPlace) -> None:
    """Refuse names that no bucket or region has, and keys that no header takes: errors would quote these.

    Raises:
        BucketFailed: naming it, but no key.
    """
    if not f"{place.access_key}{place.secret_key}{place.session_token}".isprintable():
        problem = f"the keys of bucket {place.bucket[:100]!r} hold a line's end or another control character"
        raise BucketFailed(problem, member="secret_id")
    if not is_bucket(place.bucket):
        raise BucketFailed(f"{place.bucket[:100]!r} is not the name of a bucket")
    if place.region and DIALECTS[place.kind].own_regions and not is_region(place.region):
        raise BucketFailed(f"{place.region[:100]!r} is not the name of a region")


def trusts(place: BucketPlace, allow: PrivateHosts) -> bool:
    """Tell whether the server is the kind's own or one that the operator named, so that its addresses, and where it
    redirects to, need not be judged.

    A name that merely leads into an allowed network does not count, for it may lead elsewhere the next time, nor does
    an address in one of many: whoever has a machine there could redirect from it to where nobody is allowed.
    """
    if place.endpoint in ("", DIALECTS[place.kind].endpoint):
        return True
    host = (urlsplit(place.endpoint).hostname or "").rstrip(".")
    literal = literal_address(host)
    return host in allow.names or (
        literal is not None and any(it.num_addresses == 1 and literal in it for it in allow.networks)
    )
