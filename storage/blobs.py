"""What an object store is: bytes under keys, written whole or not at all."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gridloom.errors import BadInput

LEFTOVER_AGE_S = 24 * 3600
READY_KEY = "ready"  #: asked for to see whether the store answers
MAX_KEY_BYTES = 1024
MAX_PART_BYTES = 255
_PART = re.compile(r"[A-Za-z0-9._=-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """A stored object and its size in bytes."""

    key: str
    size: int


class BlobStore(Protocol):
    """Keeps objects; safe to use from many threads and processes.

    A put replaces the object of the same key; readers see the old bytes or the new ones, never a mixture. Keys follow
    `check_key` and never overlap: with `a` stored, `a/b` can't be. A prefix means whole parts: `a` covers `a/b`, not
    `ab`. Beyond what is said below every method raises BadInput for a malformed key, StoreUnavailable when the store
    fails, and StoreFull when there is no space left.
    """

    def put_bytes(self, key: str, data: bytes) -> BlobInfo:
        """Store bytes."""

    def put_file(self, key: str, path: Path) -> BlobInfo:
        """Store a file's bytes; BadInput when `path` is no plain file (links are not followed)."""

    def put_fd(self, key: str, fd: int, size: int) -> BlobInfo:
        """Store the first `size` bytes of an open plain file; BadInput when it is no such file or shorter."""

    def put_stream(self, key: str, chunks: Iterable[bytes], limit_bytes: int) -> BlobInfo:
        """Store what comes; TooLarge past the limit. Nothing is stored when `chunks` raises."""

    def get_bytes(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes, to the end without `length`, fewer at the end; BlobMissing when there is no such key."""

    def get_file(self, key: str, path: Path, offset: int = 0, length: int | None = None) -> int:
        """Write bytes to the new file `path` and return their number; FileExistsError when it exists, BlobMissing."""

    def stream(
        self, key: str, offset: int = 0, length: int | None = None, block: int = 1 << 20
    ) -> Iterator[bytes]:
        """Return an iterator over bytes in blocks; BlobMissing comes from this call, not from the iteration."""

    def info(self, key: str) -> BlobInfo:
        """Return the object's size; BlobMissing when there is no such key."""

    def delete(self, key: str) -> None:
        """Delete the object if it is there."""

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object below a prefix and return how many there were."""

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the objects below a prefix, all of them for "", in no promised order."""

    def link(self, key: str, expires_s: int, name: str, content_type: str = "") -> str | None:
        """Return a URL that gives the object, as a file of this name, to whoever holds it, and to browsers too.

        None when only the fabric itself reaches the store.
        """

    def sweep_leftovers(self) -> int:
        """Remove what puts and deletes left unfinished a day ago; return how many there were."""


def check_key(key: str) -> str:
    """Return the key, or a prefix, unchanged when it is well-formed.

    Raises:
        BadInput: when it is not made of letters, digits and `._=-` in parts between single slashes, has a part made of
            dots alone, or is too long.
    """
    parts = key.split("/")
    if len(key) > MAX_KEY_BYTES or not all(
        _PART.fullmatch(part) and part.strip(".") and len(part) <= MAX_PART_BYTES for part in parts
    ):
        raise BadInput(f"{key[:200]!a} is not a key of the object store", field="key")
    return key
