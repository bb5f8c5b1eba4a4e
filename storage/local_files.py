"""Files of this machine that objects are made of and fetched into."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gridloom.errors import BadInput, StoreFull, StoreUnavailable

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give a file to read; BadInput when it can't be opened, such as a link, which is not followed."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput(f"{path.name!a} can't be read: {error.strerror}") from error
    try:
        yield source
    finally:
        os.close(source)


def check_plain(key: str, fd: int) -> int:
    """Return the size of a file; BadInput when it is no plain one."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise BadInput(f"what should be stored as {key!a} is not a plain file")
    return found.st_size


def shrunk(key: str, size: int, there: int) -> BadInput:
    """Return the error for a file that has fewer bytes than it should."""
    return BadInput(f"what should be stored as {key!a} shrank from {size} to {there} bytes meanwhile")


@contextmanager
def new_file(path: Path) -> Iterator[int]:
    """Give a new file to write, which goes again when the block raises.

    Raises:
        FileExistsError: when there is something of this name.
        StoreFull: when the disk has no space left.
    """
    try:
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StoreFull(f"no space left to make {path.name!a}") from error
        raise
    try:
        yield target
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(target)


@contextmanager
def disk_errors(key: str) -> Iterator[None]:
    """Raise StoreFull or StoreUnavailable for what the disk refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StoreFull(f"no space left to store or fetch {key!a}") from error
        raise StoreUnavailable(f"the object store fails at {key!a}: {error.strerror}") from error


def write_all(target: int, data: bytes) -> None:
    """Write all bytes to an open file."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
