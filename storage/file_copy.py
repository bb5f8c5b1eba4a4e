"""Copies bytes between open files inside the kernel."""

import errno
import os

_STEP_BYTES = 64 * 1024 * 1024
_NOT_HERE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def copy_bytes(source: int, target: int, offset: int, length: int) -> int:
    """Append `length` bytes of `source` from `offset` on to `target`; return how many there were.

    Raises:
        OSError: when reading or writing fails.
    """
    copied = 0
    step = _by_range
    while copied < length:
        count = min(_STEP_BYTES, length - copied)
        try:
            done = step(source, target, offset + copied, count)
        except OSError as error:
            if step is _by_sendfile or error.errno not in _NOT_HERE:
                raise
            step = _by_sendfile  # other file systems, or one without ranges
            continue
        if not done:
            break
        copied += done
    return copied


def _by_range(source: int, target: int, offset: int, count: int) -> int:
    return os.copy_file_range(source, target, count, offset_src=offset)


def _by_sendfile(source: int, target: int, offset: int, count: int) -> int:
    return os.sendfile(target, source, offset, count)
