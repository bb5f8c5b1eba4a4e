"""Reading and removing folders that hostile code has written.

Nothing is reached by a path that could lead elsewhere: every step is relative to an open folder and follows no link.
"""

import contextlib
import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}
KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectLimits:
    """How much a folder of results may hold."""

    files: int = 10_000
    total_bytes: int = 16 << 30
    depth: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedFile:
    """One plain file; `fd` is open for reading until the next file is taken."""

    path: PurePosixPath
    size: int
    fd: int

    def open(self) -> BinaryIO:
        """Return a reader of the content, from its start; closing it leaves `fd` open."""
        os.lseek(self.fd, 0, os.SEEK_SET)
        return os.fdopen(self.fd, "rb", closefd=False)


def collect(folder: Path, limits: CollectLimits) -> Iterator[CollectedFile]:
    """Walk a folder of results and yield its plain files, by name; each is closed when the next is taken.

    Raises:
        AttemptFailed: with `BAD_OUTPUT` when it holds links, other special files, odd names or too much.
    """
    # Where the worker is no root, an attempt can put a link also in place of its own folder, which is around this one.
    above = opened(str(folder.parent), FOLDER, None, PurePosixPath(folder.parent.name))
    try:
        top = opened(folder.name, FOLDER, above, PurePosixPath(folder.name))
    finally:
        os.close(above)
    yield from Walk(limits).files(top, PurePosixPath())


class Walk:
    """One walk through one folder, counting what it finds."""

    def __init__(self, limits: CollectLimits) -> None:
        self._limits = limits
        self._files = 0
        self._bytes = 0

    def files(self, folder_fd: int, place: PurePosixPath) -> Iterator[CollectedFile]:
        """Yield the files of an open folder, which is closed at the end, and of the folders below."""
        try:
            for name in sorted(os.listdir(folder_fd)):
                check_name(place, name)
                path = place / name
                kind = stat.S_IFMT(os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode)
                if kind == stat.S_IFDIR:
                    if len(path.parts) > self._limits.depth:
                        raise bad(f"results nest deeper than {self._limits.depth} folders", place)
                    yield from self.files(opened(name, FOLDER, folder_fd, path), path)
                elif kind == stat.S_IFREG:
                    yield from self._file(opened(name, FILE, folder_fd, path), path)
                else:
                    raise bad(f"results hold {KINDS.get(kind, 'a special file')}", path)
        finally:
            os.close(folder_fd)

    def _file(self, fd: int, path: PurePosixPath) -> Iterator[CollectedFile]:
        try:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode):
                raise bad("results hold a special file", path)
            if facts.st_nlink != 1:
                raise bad("results hold a hard link", path)
            self._files += 1
            self._bytes += facts.st_size
            if self._files > self._limits.files:
                raise bad(f"results hold more than {self._limits.files} files", path)
            if self._bytes > self._limits.total_bytes:
                raise bad(f"results hold more than {self._limits.total_bytes} bytes", path)
            yield CollectedFile(path=path, size=facts.st_size, fd=fd)
        finally:
            os.close(fd)


def remove_tree(path: Path) -> None:
    """Remove a folder and all in it, however deep, unreadable or oddly named; harmless when it is missing.

    Most hold plain files in one level of folders, which takes a third of the system calls. For all others folders
    below are first moved up into the top one, so that depth costs neither stack nor descriptors.
    """
    with contextlib.suppress(OSError):  # what the short way can't remove, the long one can
        if remove_shallow(path):
            return
    try:
        top = open_folder(str(path), None)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        path.unlink()
        return
    try:
        numbers = count()
        while subfolders := empty(top, top, numbers):
            for name in subfolders:
                folder = open_folder(name, top)
                try:
                    empty(folder, top, numbers)
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    path.rmdir()


def remove_shallow(path: Path) -> bool:
    """Remove a folder in which folders hold only files; leave the rest, and return False, where one holds another."""
    with os.scandir(path) as found:
        entries = list(found)
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            Path(entry.path).unlink()
            continue
        with os.scandir(entry.path) as found:
            inner = list(found)
        for it in inner:
            if it.is_dir(follow_symlinks=False):
                return False
            Path(it.path).unlink()
        Path(entry.path).rmdir()
    path.rmdir()
    return True


def empty(folder: int, top: int, numbers: "count[int]") -> list[str]:
    """Unlink the files of a folder; move its subfolders up to `top`, or name them when it is the top itself."""
    subfolders = []
    for name in os.listdir(folder):
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
        elif folder == top:
            subfolders.append(name)
        else:
            os.close(open_folder(name, folder))  # makes it movable
            move_up(name, folder, top, numbers)
    return subfolders


def move_up(name: str, folder: int, top: int, numbers: "count[int]") -> None:
    """Move a subfolder to the top under the next name that is free."""
    for number in numbers:
        try:
            os.rename(name, f".{number}", src_dir_fd=folder, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
        else:
            return


def open_folder(name: str, parent: int | None) -> int:
    """Open a folder that may be unreadable to its owner, making it readable."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if os.fstat(handle).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            Path(f"/proc/self/fd/{handle}").chmod(0o700)
        return os.open(".", FOLDER, dir_fd=handle)
    finally:
        os.close(handle)


def check_name(place: PurePosixPath, name: str) -> None:
    """Refuse a name that is not UTF-8 or holds control characters.

    Raises:
        AttemptFailed: with `BAD_OUTPUT`.
    """
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise AttemptFailed(
            EndReason.BAD_OUTPUT, f"results hold a name that is not plain UTF-8: {str(place / name)!a}"
        )


def opened(name: str, flags: int, folder_fd: int | None, path: PurePosixPath) -> int:
    """Open an entry of a folder.

    Raises:
        AttemptFailed: with `BAD_OUTPUT` when that is not allowed, or it is no longer what it was.
    """
    try:
        return os.open(name, flags, dir_fd=folder_fd)
    except OSError as error:
        raise bad(f"results can't be read ({error.strerror})", path) from error


def bad(what: str, path: PurePosixPath) -> AttemptFailed:
    """Return the failure that names what is wrong and where."""
    return AttemptFailed(EndReason.BAD_OUTPUT, f"{what}: {path}")
