"""What every kind of source is given to fetch with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gridloom.net_guard import PrivateHosts
from storage.blobs import BlobStore

Progress = Callable[[int], None]  #: takes the bytes fetched so far, may raise to stop


def ignore_progress(_fetched_bytes: int) -> None:
    """Take no notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """`allow` is what urls may reach though private; `limit_bytes` bounds the whole source."""

    store: BlobStore
    limit_bytes: int
    allow: PrivateHosts = field(default_factory=PrivateHosts)
    on_progress: Progress = ignore_progress
