"""How a bucket is entered."""

import socket
from dataclasses import dataclass

from gridloom.buckets import BucketPlace
from gridloom.net_guard import Lookup, PrivateHosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server may take to accept a connection, to send some bytes and to send a whole answer, and how often
    a call is made."""

    connect_s: float = 5
    read_s: float = 60
    answer_s: float = 30 * 60
    attempts: int = 5


PATIENT = Patience()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a bucket is entered; `region` overrides the place's once the server told another."""

    place: BucketPlace
    allow: PrivateHosts
    ambient: bool
    trusted: bool
    transfers: int
    patience: Patience = PATIENT
    region: str = ""
    lookup: Lookup = socket.getaddrinfo
