"""Bodies that boto3 can send, and send again: a stretch of an open file, or bytes in memory.

Both are read in pieces, each of which has the connection's time limit to itself: bytes sent as one have it only once.
"""

import hashlib
import io
import os
from collections.abc import Iterator

_BLOCK = 1 << 20
_AT_LEAST = 1 << 18  # http.client asks for 16 KiB at a time, and its loop then costs more than the bytes


class Window(io.RawIOBase):
    """Reads `size` bytes of a file from `start` on, at its own position; many may share one file."""

    def __init__(self, fd: int, start: int, size: int) -> None:
        super().__init__()
        self._fd, self._start, self._size = fd, start, size
        self._position = 0

    def __len__(self) -> int:
        return self._size

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes or 256 KiB, whichever is more; all that are left by default."""
        left = self._size - self._position
        count = left if size is None or size < 0 else min(max(size, _AT_LEAST), left)
        data = os.pread(self._fd, count, self._start + self._position)
        self._position += len(data)
        return data

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be sent again."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place in the window."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the place in the window."""
        return self._position

    def md5(self) -> bytes:
        """Return the digest of the whole window."""
        digest = hashlib.md5(usedforsecurity=False)
        for block in self._blocks():
            digest.update(block)
        return digest.digest()

    def _blocks(self) -> Iterator[bytes]:
        for offset in range(0, self._size, _BLOCK):
            yield os.pread(self._fd, min(_BLOCK, self._size - offset), self._start + offset)


class Held(io.BytesIO):
    """Bytes that are in memory."""

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes or 256 KiB, whichever is more; all that are left by default."""
        return super().read(size if size is None or size < 0 else max(size, _AT_LEAST))
