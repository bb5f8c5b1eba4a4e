"""The object store in a bucket: one object of the bucket an object, below a prefix."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from gridloom.errors import (
    BadInput,
    BlobMissing,
    BucketDenied,
    BucketFailed,
    BucketFull,
    BucketUnavailable,
    ObjectMissing,
    SetupFailed,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)
from gridloom.net_guard import PrivateHosts
from storage.blobs import LEFTOVER_AGE_S, MAX_KEY_BYTES, READY_KEY, BlobInfo, check_key
from storage.bucket_urls import KEY_SETTING, SECRET_SETTING, URL_SETTING, BucketUrl
from storage.buckets.bucket import Bucket
from storage.local_files import check_plain, disk_errors, new_file, opened, shrunk, write_all

_ONE_READ_BYTES = 8 << 20  #: up to here a span is fetched with one request and no look at its object

log = structlog.get_logger(__name__)


class BucketStore:
    """A BlobStore in a bucket; what lies above `prefix` is not touched.

    `link_endpoint` is the URL under which the holders of links reach the bucket's server, "" for the kind's own, None
    when they don't.
    """

    def __init__(self, bucket: Bucket, prefix: str = "", *, link_endpoint: str | None = None) -> None:
        self._bucket, self._link_endpoint = bucket, link_endpoint
        self._above = f"{check_key(prefix)}/" if prefix else ""

    def put_bytes(self, key: str, data: bytes) -> BlobInfo:
        """Store bytes."""
        with _store_errors(key):
            self._bucket.put(self._full(key), data)
        return BlobInfo(key=key, size=len(data))

    def put_file(self, key: str, path: Path) -> BlobInfo:
        """Store a file's bytes; BadInput when `path` is no plain file (links are not followed)."""
        with opened(path) as source:
            return self.put_fd(key, source, check_plain(key, source))

    def put_fd(self, key: str, fd: int, size: int) -> BlobInfo:
        """Store the first `size` bytes of an open plain file; BadInput when it is no such file or shorter."""
        there = check_plain(key, fd)
        if there < size:
            raise shrunk(key, size, there)
        with _store_errors(key), disk_errors(key):
            self._bucket.upload(self._full(key), fd, size)
        return BlobInfo(key=key, size=size)

    def put_stream(self, key: str, chunks: Iterable[bytes], limit_bytes: int) -> BlobInfo:
        """Store what comes; TooLarge past the limit. Nothing is stored when `chunks` raises."""
        counted = _Counted(chunks, limit_bytes)
        with _store_errors(key):
            self._bucket.upload_stream(self._full(key), counted)
        return BlobInfo(key=key, size=counted.size)

    def get_bytes(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes, to the end without `length`, fewer at the end; BlobMissing when there is no such key."""
        with _read_errors(key):
            return self._bucket.read(self._full(key), offset, length)

    def get_file(self, key: str, path: Path, offset: int = 0, length: int | None = None) -> int:
        """Write bytes to the new file `path` and return their number; FileExistsError when it exists, BlobMissing."""
        with new_file(path) as target, _read_errors(key), disk_errors(key):
            if length is not None and length <= _ONE_READ_BYTES:
                data = self._bucket.read(self._full(key), offset, length)
                write_all(target, data)
                return len(data)
            found = self._bucket.look(self._full(key))
            rest = max(0, found.size - offset)
            count = rest if length is None else min(rest, length)
            self._bucket.download(self._full(key), target, count, offset=offset, etag=found.etag)
            return count

    def stream(
        self, key: str, offset: int = 0, length: int | None = None, block: int = 1 << 20
    ) -> Iterator[bytes]:
        """Return an iterator over bytes in blocks; BlobMissing comes from this call, not from the iteration."""
        with _read_errors(key):
            return _blocks(key, self._bucket.stream(self._full(key), offset, length, block=block))

    def info(self, key: str) -> BlobInfo:
        """Return the object's size; BlobMissing when there is no such key."""
        with _read_errors(key):
            return BlobInfo(key=key, size=self._bucket.look(self._full(key)).size)

    def delete(self, key: str) -> None:
        """Delete the object if it is there."""
        with _store_errors(key):
            self._bucket.delete([self._full(key)])

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object below a prefix and return how many there were."""
        below = f"{self._full(prefix)}/"
        self._abort_uploads(below, 0)
        with _store_errors(prefix):
            return self._bucket.delete(it.key for it in self._bucket.list(below))

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the objects below a prefix, all of them for "", in no promised order."""
        return self._below(prefix, f"{self._full(prefix)}/" if prefix else self._above)

    def link(self, key: str, expires_s: int, name: str, content_type: str = "") -> str | None:
        """Return a URL that gives the object to whoever holds it; None when its holder could not reach the bucket."""
        if self._link_endpoint is None:
            return None
        with _store_errors(key):
            return self._bucket.link(
                self._full(key),
                expires_s,
                file_name=name,
                content_type=content_type,
                endpoint=self._link_endpoint,
            )

    def sweep_leftovers(self) -> int:
        """Abort uploads that nobody finished within a day; return how many there were."""
        return self._abort_uploads(self._above, LEFTOVER_AGE_S)

    def _full(self, key: str) -> str:
        full = self._above + check_key(key)
        if len(full) > MAX_KEY_BYTES:
            raise BadInput(f"{key[:200]!a} is too long below the store's prefix", field="key")
        return full

    def _below(self, prefix: str, below: str) -> Iterator[BlobInfo]:
        with _store_errors(prefix):
            for found in self._bucket.list(below):
                yield BlobInfo(key=found.key.removeprefix(self._above), size=found.size)

    def _abort_uploads(self, below: str, older_than_s: float) -> int:
        try:
            with _store_errors(below):
                aborted = self._bucket.abort_uploads(below, older_than_s=older_than_s)
        except StoreUnavailable as error:
            # They cost space, no more; what must go is the objects.
            log.warning("store_uploads_not_aborted", prefix=below, error=error.message)
            return 0
        if aborted:
            log.info("store_uploads_aborted", prefix=below, count=aborted)
        return aborted


class _Counted:
    """Blocks that are counted as they pass, and refused past a limit."""

    def __init__(self, blocks: Iterable[bytes], limit_bytes: int) -> None:
        self._blocks, self._limit = blocks, limit_bytes
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.size += len(block)
            if self.size > self._limit:
                raise TooLarge(f"the upload exceeds the limit of {self._limit} bytes")
            yield block


def open_bucket(url: BucketUrl) -> BucketStore:
    """Open a store, and do once in an empty corner of it all that stores do with their buckets.

    Raises:
        SetupFailed: naming the setting to change, when the bucket will not do.
    """
    bucket = Bucket(url.place, PrivateHosts(), ambient=not url.place.access_key, trusted=True)
    above = f"{url.prefix}/" if url.prefix else ""
    name = f"the object store's bucket {url.place.bucket!a}"
    try:
        next(bucket.list(above), None)
        bucket.put(f"{above}{READY_KEY}", b"ready")
        bucket.read(f"{above}{READY_KEY}")
        bucket.delete([f"{above}{READY_KEY}-not"])  # takes the permission, though it is not there
    except BucketDenied as error:
        problem = f"{name} refuses the keys; check {KEY_SETTING} and {SECRET_SETTING}: {error.message}"
        raise SetupFailed(problem) from error
    except BucketFailed as error:
        raise SetupFailed(f"{name} can't be used; check {URL_SETTING}: {error.message}") from error
    except BucketUnavailable as error:
        problem = f"{name} can't be reached; check the endpoint in {URL_SETTING}: {error.message}"
        raise SetupFailed(problem) from error
    return BucketStore(bucket, url.prefix, link_endpoint=url.link_endpoint)


@contextmanager
def _store_errors(key: str) -> Iterator[None]:
    try:
        yield
    except BucketFull as error:
        raise StoreFull(f"no space left to store {key!a}: {error.message}") from error
    except (BucketUnavailable, BucketFailed) as error:
        raise StoreUnavailable(f"the object store fails at {key!a}: {error.message}") from error


@contextmanager
def _read_errors(key: str) -> Iterator[None]:
    with _store_errors(key):
        try:
            yield
        except ObjectMissing as error:
            raise BlobMissing(f"the object store has no {key!a}") from error


def _blocks(key: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    with _read_errors(key):
        yield from blocks
