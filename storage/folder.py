"""The object store in a folder: one file an object, put in place by rename."""

import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from gridloom.errors import BadInput, BlobMissing, SetupFailed, StoreUnavailable, TooLarge
from storage.blobs import LEFTOVER_AGE_S, BlobInfo, check_key
from storage.file_copy import copy_bytes
from storage.local_files import check_plain, disk_errors, new_file, opened, shrunk, write_all

_PLACE_TRIES = 10

log = structlog.get_logger(__name__)


class FolderStore:
    """A BlobStore below `root`; with `durable` an object survives a power cut once its put returned."""

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._durable = durable
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._objects.mkdir(exist_ok=True)
            self._incoming.mkdir(exist_ok=True)
        except OSError as error:
            raise SetupFailed(f"the object store's folder {root} can't be used: {error.strerror}") from error

    def put_bytes(self, key: str, data: bytes) -> BlobInfo:
        """Store bytes."""
        return self.put_stream(key, (data,), len(data))

    def put_file(self, key: str, path: Path) -> BlobInfo:
        """Store a file's bytes; BadInput when `path` is no plain file (links are not followed)."""
        with opened(path) as source:
            return self.put_fd(key, source, check_plain(key, source))

    def put_fd(self, key: str, fd: int, size: int) -> BlobInfo:
        """Store the first `size` bytes of an open plain file; BadInput when it is no such file or shorter."""
        check_plain(key, fd)
        with self._new_object(key) as target:
            with _store_errors(key):
                copied = copy_bytes(fd, target, 0, size)
            if copied < size:
                raise shrunk(key, size, copied)
        return BlobInfo(key=key, size=size)

    def put_stream(self, key: str, chunks: Iterable[bytes], limit_bytes: int) -> BlobInfo:
        """Store what comes; TooLarge past the limit. Nothing is stored when `chunks` raises."""
        size = 0
        with self._new_object(key) as target:
            for chunk in chunks:
                size += len(chunk)
                if size > limit_bytes:
                    raise TooLarge(f"the upload exceeds the limit of {limit_bytes} bytes")
                with _store_errors(key):
                    write_all(target, chunk)
        return BlobInfo(key=key, size=size)

    def get_bytes(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes, to the end without `length`, fewer at the end; BlobMissing when there is no such key."""
        with self._opened(key) as source, _store_errors(key):
            left = _span(source, offset, length)
            parts = []
            while left and (part := os.pread(source, left, offset)):
                parts.append(part)
                offset += len(part)
                left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def get_file(self, key: str, path: Path, offset: int = 0, length: int | None = None) -> int:
        """Write bytes to the new file `path` and return their number; FileExistsError when it exists, BlobMissing."""
        with self._opened(key) as source, new_file(path) as target, _store_errors(key):
            return copy_bytes(source, target, offset, _span(source, offset, length))

    def stream(
        self, key: str, offset: int = 0, length: int | None = None, block: int = 1 << 20
    ) -> Iterator[bytes]:
        """Return an iterator over bytes in blocks; BlobMissing comes from this call, not from the iteration."""
        self.info(key)
        return self._blocks(key, offset, length, block)

    def info(self, key: str) -> BlobInfo:
        """Return the object's size; BlobMissing when there is no such key."""
        with _store_errors(key):
            found = self._path(key).lstat()
            if not stat.S_ISREG(found.st_mode):
                raise BlobMissing(f"the object store has no {key!a}")
            return BlobInfo(key=key, size=found.st_size)

    def delete(self, key: str) -> None:
        """Delete the object if it is there."""
        path = self._path(key)
        with suppress(BlobMissing), _store_errors(key):
            path.unlink()
            self._prune(path.parent)

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object below a prefix and return how many there were."""
        path, trash = self._path(prefix), self._incoming / uuid.uuid4().hex
        with suppress(BlobMissing), _store_errors(prefix):
            if not stat.S_ISDIR(path.lstat().st_mode):
                return 0
            path.rename(trash)  # at once for readers; what a crash leaves is swept like any leftover
            self._prune(path.parent)
            count = sum(len(files) for _, _, files in os.walk(trash))
            shutil.rmtree(trash)
            return count
        return 0

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the objects below a prefix, all of them for "", in no promised order."""
        folder = self._path(prefix) if prefix else self._objects
        return self._below(folder, f"{prefix}/" if prefix else "")

    def link(self, key: str, expires_s: int, name: str, content_type: str = "") -> str | None:  # noqa: ARG002
        """Return None: only this fabric reads the folder."""
        return None

    def sweep_leftovers(self) -> int:
        """Remove what puts and deletes left unfinished a day ago; return how many there were."""
        swept = 0
        with disk_errors("incoming"):
            for leftover in self._incoming.iterdir():
                with suppress(FileNotFoundError):
                    found = leftover.lstat()
                    if time.time() - found.st_mtime < LEFTOVER_AGE_S:
                        continue
                    shutil.rmtree(leftover) if stat.S_ISDIR(found.st_mode) else leftover.unlink()
                    log.info("store_leftover_removed", name=leftover.name, size=found.st_size)
                    swept += 1
        return swept

    def _path(self, key: str) -> Path:
        return self._objects / check_key(key)

    @contextmanager
    def _opened(self, key: str) -> Iterator[int]:
        path = self._path(key)
        with _store_errors(key):
            source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(source).st_mode):
                raise BlobMissing(f"the object store has no {key!a}")
            yield source
        finally:
            os.close(source)

    @contextmanager
    def _new_object(self, key: str) -> Iterator[int]:
        """Give a file to write to and put it under its key when the block ends well."""
        path, incoming = self._path(key), self._incoming / uuid.uuid4().hex
        with _store_errors(key):
            target = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            try:
                yield target
                with _store_errors(key):
                    if self._durable:
                        os.fsync(target)
            finally:
                os.close(target)
            with _store_errors(key):
                self._place(incoming, path, key)
        except BaseException:
            incoming.unlink(missing_ok=True)
            raise

    def _place(self, incoming: Path, path: Path, key: str) -> None:
        for _ in range(_PLACE_TRIES):
            try:
                made = self._make_folders(path.parent)
                incoming.rename(path)
            except FileNotFoundError:
                continue  # a delete pruned the folder in between
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                raise BadInput(f"the key {key!a} overlaps another one", field="key") from error
            if self._durable:
                for folder in (path.parent, *made):
                    _sync_folder(folder)
            return
        raise StoreUnavailable(f"the folder of {key!a} vanishes again and again")

    def _make_folders(self, folder: Path) -> tuple[Path, ...]:
        """Make a folder and those above it; return the parents whose listing changed."""
        try:
            folder.mkdir()
        except FileExistsError:
            if stat.S_ISDIR(folder.lstat().st_mode):
                return ()
            raise
        except FileNotFoundError:
            return (*self._make_folders(folder.parent), *self._make_folders(folder))
        return (folder.parent,)

    def _prune(self, folder: Path) -> None:
        with suppress(OSError):  # the first one that still holds something ends it
            while folder != self._objects:
                folder.rmdir()
                folder = folder.parent

    def _blocks(self, key: str, offset: int, length: int | None, block: int) -> Iterator[bytes]:
        with self._opened(key) as source:
            left = _span(source, offset, length)
            while left:
                with _store_errors(key):
                    part = os.pread(source, min(block, left), offset)
                if not part:
                    return
                yield part
                offset += len(part)
                left -= len(part)

    def _below(self, folder: Path, prefix: str) -> Iterator[BlobInfo]:
        with suppress(BlobMissing), _store_errors(prefix), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from self._below(Path(entry.path), f"{prefix}{entry.name}/")
                    continue
                with suppress(FileNotFoundError):  # deleted since the folder was read
                    yield BlobInfo(
                        key=f"{prefix}{entry.name}", size=entry.stat(follow_symlinks=False).st_size
                    )


@contextmanager
def _store_errors(key: str) -> Iterator[None]:
    with disk_errors(key):
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BlobMissing(f"the object store has no {key!a}") from error


def _span(source: int, offset: int, length: int | None) -> int:
    rest = max(0, os.fstat(source).st_size - offset)
    return rest if length is None else min(rest, length)


def _sync_folder(folder: Path) -> None:
    with suppress(FileNotFoundError):  # pruned already, so there is nothing to keep
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
