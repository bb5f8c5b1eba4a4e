"""The kernel's news of one folder (Linux inotify), through ctypes."""

import ctypes
import errno
import os
import struct
from pathlib import Path

CREATE = 0x100
CLOSE_WRITE = 0x8
MOVED_TO = 0x80
OVERFLOW = 0x4000

_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name: inotify(7)
_BUFFER_BYTES = 256 * 1024


class Inotify:
    """Watches one folder; `fd` is readable when there is news."""

    def __init__(self, folder: Path) -> None:
        """Start watching.

        Raises:
            OSError: when this system has no inotify, or no watch left.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            raise OSError(errno.ENOSYS, "there is no inotify")
        self.fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify can't be used")
        if libc.inotify_add_watch(self.fd, os.fsencode(folder), CREATE | CLOSE_WRITE | MOVED_TO) < 0:
            os.close(self.fd)
            raise OSError(ctypes.get_errno(), f"{folder} can't be watched")

    def read(self) -> list[tuple[int, str]]:
        """Return (mask, name) of what happened since, without waiting; OVERFLOW says that news was lost."""
        try:
            data = os.read(self.fd, _BUFFER_BYTES)
        except BlockingIOError:
            return []
        events: list[tuple[int, str]] = []
        place = 0
        while place < len(data):
            _, mask, _, length = _EVENT.unpack_from(data, place)
            place += _EVENT.size
            events.append((mask, os.fsdecode(data[place : place + length].rstrip(b"\0"))))
            place += length
        return events

    def close(self) -> None:
        """Stop watching."""
        os.close(self.fd)
