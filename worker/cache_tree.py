"""A cache folder that hostile code writes to as well: every step is relative to an open folder and follows no link."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gridloom.cache_paths import RESERVED
from gridloom.errors import StoreUnavailable
from worker.collect import FOLDER

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP})


class CacheTree:
    """An open cache folder; what is put there belongs to whom the folder belongs to, and all may read it.

    `writer` tells apart those who put files there at the same time.
    """

    def __init__(self, folder: Path, writer: str) -> None:
        """Open the folder.

        Raises:
            OSError: when it is none, or a link.
        """
        self._top = os.open(folder, FOLDER)
        facts = os.fstat(self._top)
        self._owner = (facts.st_uid, facts.st_gid) if os.geteuid() == 0 else None
        self._incoming = f"{RESERVED}{writer}"

    def close(self) -> None:
        """Close the folder."""
        os.close(self._top)

    def has(self, path: str, size: int) -> bool:
        """Tell whether a plain file of this size lies under the path."""
        try:
            with self._parent(path, make=False) as (parent, name):
                facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(facts.st_mode) and facts.st_size == size

    def put(self, path: str, blocks: Iterable[bytes], sha256: str) -> None:
        """Write a file and put it in its place when it is whole; what is no folder on the way there makes room.

        Raises:
            StoreUnavailable: when the bytes are not those of the digest.
            OSError: when it can't be written, or a folder lies in its place.
        """
        with suppress(FileNotFoundError):
            os.unlink(self._incoming, dir_fd=self._top)
        target = os.open(self._incoming, _NEW_FILE, 0o600, dir_fd=self._top)
        try:
            try:
                _write(target, blocks, sha256, path)
                os.fchmod(target, 0o644)
                self._hand_over(target)
            finally:
                os.close(target)
            with self._parent(path, make=True) as (parent, name):
                os.rename(self._incoming, name, src_dir_fd=self._top, dst_dir_fd=parent)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(self._incoming, dir_fd=self._top)
            raise

    def remove(self, path: str) -> None:
        """Remove a file if it is there, and the folders above it that are empty then.

        Raises:
            OSError: when it can't be removed.
        """
        with suppress(FileNotFoundError, NotADirectoryError):
            with self._parent(path, make=False) as (parent, name):
                os.unlink(name, dir_fd=parent)
            while "/" in path:
                path = path.rpartition("/")[0]
                with self._parent(path, make=False) as (parent, name):
                    try:
                        os.rmdir(name, dir_fd=parent)
                    except OSError:  # it holds something
                        return

    @contextmanager
    def _parent(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """Give the open folder that a path lies in, and its last part."""
        *folders, name = path.split("/")
        at = os.dup(self._top)
        try:
            for folder in folders:
                below = self._enter(folder, at, make=make)
                os.close(at)
                at = below
            yield at, name
        finally:
            os.close(at)

    def _enter(self, name: str, parent: int, *, make: bool) -> int:
        try:
            return os.open(name, FOLDER, dir_fd=parent)
        except OSError as error:
            if not make or error.errno not in {*_NO_FOLDER, errno.ENOENT}:
                if error.errno in _NO_FOLDER:
                    raise NotADirectoryError(*error.args) from error
                raise
            if error.errno in _NO_FOLDER:
                os.unlink(name, dir_fd=parent)
        os.mkdir(name, 0o755, dir_fd=parent)
        made = os.open(name, FOLDER, dir_fd=parent)
        self._hand_over(made)
        return made

    def _hand_over(self, opened: int) -> None:
        if self._owner is not None:
            os.fchown(opened, *self._owner)


def _write(target: int, blocks: Iterable[bytes], sha256: str, path: str) -> None:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
        view = memoryview(block)
        while view:
            view = view[os.write(target, view) :]
    if digest.hexdigest() != sha256:
        raise StoreUnavailable(f"the stored bytes of {path!a} in the cache are damaged")
