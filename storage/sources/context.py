"""What every kind of source is given to fetch with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gridloom.net_guard import PrivateHosts
from storage.blobs import BlobStore

Progress = Callable[[int], None]  #: takes the bytes fetched so far, may raise to stop
Note = Callable[[str], None]  #: takes a line for the log of whoever fetches

MOST_FILES = 1_000_000


def ignore_progress(_fetched_bytes: int) -> None:
    """Take no notice."""


def ignore_note(_text: str) -> None:
    """Take no notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """`allow` is what sources may lie on though private; `limit_bytes` and `limit_files` bound the whole source.

    Up to `transfers` files are fetched at a time; `on_progress` is called by many threads then.
    """

    store: BlobStore
    limit_bytes: int
    limit_files: int = MOST_FILES
    transfers: int = 1
    allow: PrivateHosts = field(default_factory=PrivateHosts)
    on_progress: Progress = ignore_progress
    note: Note = ignore_note
