"""Reads the bytes of files that are already open."""

import os


def read_whole(fd: int, size: int) -> bytes:
    """Return the first `size` bytes of an open file, fewer when it has become shorter."""
    parts: list[bytes] = []
    place = 0
    while place < size and (part := os.pread(fd, size - place, place)):
        parts.append(part)
        place += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
