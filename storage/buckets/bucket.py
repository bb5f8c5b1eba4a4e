"""A bucket as the rest of the fabric sees it: objects in and out, whichever client moves their bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain
from types import MappingProxyType

from gridloom.buckets import BucketPlace
from gridloom.file_headers import attachment
from gridloom.net_guard import PrivateHosts
from storage.buckets import downloads, listing, uploads
from storage.buckets.access import PATIENT, Access, Patience
from storage.buckets.failures import Failure, explained
from storage.buckets.objects import FolderPage, Label, ObjectInfo, Progress, no_progress
from storage.buckets.session import Session

__all__ = ["Bucket", "FolderPage", "ObjectInfo", "Progress"]
_LONGEST_LINK_S = 7 * 24 * 3600  # of SigV4
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Bucket:
    """One bucket; safe to use from many threads, and several calls may run at once.

    Every method raises BucketUnavailable when the bucket can't be reached within its time limits, BucketDenied when a
    permission is missing, ObjectMissing when the object or the bucket isn't there, and BucketFailed for any other
    refusal; beyond that what is said below.
    """

    def __init__(
        self,
        place: BucketPlace,
        allow: PrivateHosts,
        *,
        ambient: bool = False,
        trusted: bool = False,
        transfers: int = 16,
        patience: Patience = PATIENT,
    ) -> None:
        """Make no call yet; with `ambient` a place without keys is asked with those that AWS's variables and roles
        give, with `trusted` its address is not judged; `transfers` ranges or parts move at once."""
        self.place = place
        self._session = Session(
            Access(
                place=place,
                allow=allow,
                ambient=ambient,
                trusted=trusted,
                transfers=transfers,
                patience=patience,
            )
        )

    def look(self, key: str) -> ObjectInfo:
        """Return what HEAD says of an object."""
        with explained(self.place, "read", key):
            return listing.look(self._session, key)

    def list(
        self, prefix: str = "", *, after: str = "", check: Callable[[], None] = lambda: None
    ) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys start with `prefix`, from behind the key `after`, in the server's order, which
        is that of the keys' bytes at Amazon, Google and most others; `check`, called for each page, may raise to stop."""
        with explained(self.place, "list"):
            yield from listing.list_objects(self._session, prefix, after, check)

    def folder(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> FolderPage:
        """Return a page of what lies directly below a prefix that ends in "/" or is empty."""
        with explained(self.place, "list"):
            return listing.folder_page(self._session, prefix, after, limit)

    def read(self, key: str, offset: int = 0, length: int | None = None, *, etag: str = "") -> bytes:
        """Return bytes, fewer or none at the object's end; ObjectChanged when it does not have this ETag."""
        return b"".join(self.stream(key, offset, length, etag=etag))

    def stream(
        self, key: str, offset: int = 0, length: int | None = None, *, etag: str = "", block: int = 1 << 20
    ) -> Iterator[bytes]:
        """Return an iterator over bytes; ObjectMissing and ObjectChanged come from this call."""
        blocks = self._blocks(key, offset, length, etag, block)
        first = next(blocks, b"")
        return chain((first,), blocks) if first else iter(())

    def download(
        self,
        key: str,
        fd: int,
        size: int,
        *,
        offset: int = 0,
        etag: str = "",
        on_progress: Progress = no_progress,
    ) -> None:
        """Write `size` bytes of an object to an open file, from its start, in ranges at a time where that is worth it.

        Raises:
            ObjectChanged: when the object does not have this ETag, or ends early.
            OSError: when the file can't be written.
        """
        with explained(self.place, "read", key):
            if size:
                downloads.Download(self._session, key, fd, offset=offset, etag=etag).run(size, on_progress)
            elif etag not in ("", listing.look(self._session, key).etag):
                raise Failure(status=412)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] = _NOTHING,
        only_new: bool = False,
    ) -> ObjectInfo:
        """Store bytes and check that they arrived; with `only_new` ObjectExists when the key is taken."""
        label = Label(content_type=content_type, metadata=metadata)
        with explained(self.place, "write", key):
            return uploads.put(self._session, key, data, label, only_new=only_new)

    def upload(
        self,
        key: str,
        fd: int,
        size: int,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] = _NOTHING,
        only_new: bool = False,
        on_progress: Progress = no_progress,
    ) -> ObjectInfo:
        """Store the first `size` bytes of an open file, in parts at a time where that is worth it, and check them."""
        label = Label(content_type=content_type, metadata=metadata)
        with explained(self.place, "write", key):
            return uploads.upload(
                self._session, key, fd, size, label, only_new=only_new, on_progress=on_progress
            )

    def upload_stream(self, key: str, blocks: Iterable[bytes]) -> ObjectInfo:
        """Store what comes, up to 360 GiB; nothing is stored when `blocks` raises."""
        with explained(self.place, "write", key):
            return uploads.upload_stream(self._session, key, blocks)

    def delete(self, keys: Iterable[str]) -> int:
        """Delete objects, many with one call where the bucket allows it; return how many were asked for."""
        with explained(self.place, "delete"):
            return listing.delete_objects(self._session, keys)

    def abort_uploads(self, prefix: str, *, older_than_s: float = 0, exact: bool = False) -> int:
        """Abort multipart uploads that somebody began and never finished; return how many. With `exact` only those of
        the very key."""
        with explained(self.place, "write"):
            return listing.abort_uploads(self._session, prefix, older_than_s, exact=exact)

    def link(
        self, key: str, expires_s: int, *, file_name: str = "", content_type: str = "", endpoint: str = ""
    ) -> str:
        """Return a presigned URL that gives the object to whoever holds it, for at most 7 days; `endpoint` is the
        server's public name. Without keys it is the plain URL."""
        params = {"Key": key}
        if self.place.access_key or self._session.access.ambient:
            params |= {"ResponseContentDisposition": attachment(file_name)} if file_name else {}
            params |= {"ResponseContentType": content_type} if content_type else {}
        with explained(self.place, "read", key):
            return self._session.presign(endpoint, params, min(expires_s, _LONGEST_LINK_S))

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    def _blocks(self, key: str, offset: int, length: int | None, etag: str, block: int) -> Iterator[bytes]:
        if length == 0:
            return
        with explained(self.place, "read", key):
            try:
                with closing(
                    downloads.read_blocks(self._session, key, offset, length, etag, block)
                ) as blocks:
                    for piece in blocks:
                        yield bytes(piece)
            except Failure as failure:
                if not failure.out_of_range:
                    raise
