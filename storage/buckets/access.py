"""How a bucket is entered."""

import socket
from dataclasses import dataclass

from gridloom.buckets import BucketPlace
from gridloom.net_guard import Lookup, PrivateHosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a bucket is entered; `region` overrides the place's once the server told another."""

    place: BucketPlace
    allow: PrivateHosts
    ambient: bool
    trusted: bool
    transfers: int
    region: str = ""
    lookup: Lookup = socket.getaddrinfo
