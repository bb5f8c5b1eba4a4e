"""A bucket as the rest of the fabric sees it: objects in and out, whichever client moves their bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gridloom.buckets import BucketPlace
from gridloom.net_guard import PrivateHosts

Progress = Callable[[int], None]  #: takes the bytes moved since the last call, may raise to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """An object of a bucket; `size` in bytes, `etag` without quotes."""

    key: str
    size: int
    etag: str
    modified_at: datetime | None = None
    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPage:
    """One page of a folder's entries; `after` is where the next page begins, "" at the end."""

    folders: tuple[str, ...]
    objects: tuple[ObjectInfo, ...]
    after: str


class Bucket:
    """One bucket; safe to use from many threads, and several calls may run at once.

    Every method raises BucketUnavailable when the bucket can't be reached within its time limits, BucketDenied when a
    permission is missing, ObjectMissing when the object or the bucket isn't there, and BucketFailed for any other
    refusal; beyond that what is said below.
    """

    def __init__(
        self, place: BucketPlace, allow: PrivateHosts, *, ambient: bool = False, transfers: int = 16
    ) -> None:
        """Make no call yet; with `ambient` a place without keys is asked with those that AWS's variables and roles
        give."""

    def look(self, key: str) -> ObjectInfo:
        """Return what HEAD says of an object."""

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys start with `prefix`, in the order of their keys' bytes, from behind `after`."""

    def folder(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> FolderPage:
        """Return a page of what lies directly below a prefix that ends in "/" or is empty."""

    def read(self, key: str, offset: int = 0, length: int | None = None, *, etag: str = "") -> bytes:
        """Return bytes; ObjectChanged when the object does not have this ETag."""

    def stream(
        self, key: str, offset: int = 0, length: int | None = None, *, etag: str = "", block: int = 1 << 20
    ) -> Iterator[bytes]:
        """Return an iterator over bytes; ObjectMissing and ObjectChanged come from this call."""

    def download(
        self, key: str, fd: int, size: int, *, offset: int = 0, etag: str = "", on_progress: Progress = ...
    ) -> None:
        """Write `size` bytes of an object to an open file, from its start, in ranges at a time where that is worth it.

        Raises:
            ObjectChanged: when the object does not have this ETag, or ends early.
            OSError: when the file can't be written.
        """

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] = ...,
        only_new: bool = False,
    ) -> ObjectInfo:
        """Store bytes and check that they arrived; with `only_new` ObjectExists when the key is taken."""

    def upload(
        self,
        key: str,
        fd: int,
        size: int,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] = ...,
        only_new: bool = False,
        on_progress: Progress = ...,
    ) -> ObjectInfo:
        """Store the first `size` bytes of an open file, in parts at a time where that is worth it, and check them."""

    def upload_stream(self, key: str, blocks: Iterable[bytes], *, content_type: str = "") -> ObjectInfo:
        """Store what comes; nothing is stored when `blocks` raises."""

    def copy(self, source: str, target: str) -> None:
        """Copy an object inside the bucket, up to 5 GiB."""

    def delete(self, keys: Iterable[str]) -> int:
        """Delete objects, many with one call where the bucket allows it; return how many were asked for."""

    def abort_uploads(self, prefix: str, *, older_than_s: float = 0) -> int:
        """Abort multipart uploads that somebody began and never finished; return how many."""

    def link(self, key: str, expires_s: int, *, file_name: str = "", endpoint: str = "") -> str:
        """Return a presigned URL that gives the object to whoever holds it; `endpoint` is the server's public name."""

    def close(self) -> None:
        """Let go of connections."""
