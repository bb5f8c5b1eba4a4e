"""What a task tells its agent besides its wait status, in memory that both share: a script holds no descriptor of it."""

from __future__ import annotations

import mmap
import struct

LENGTH = struct.Struct("<I")
BYTES = 1 << 16
MOST = BYTES - LENGTH.size - 1


class Told:
    """One short message: `X` and why the task could not be started, or `M` and the modules it imported."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, BYTES)

    def tell(self, kind: bytes, text: bytes) -> None:
        """Leave a message; its length comes last, so that half a message is none."""
        data = kind + text[:MOST]
        self.memory[LENGTH.size : LENGTH.size + len(data)] = data
        self.memory[: LENGTH.size] = LENGTH.pack(len(data))

    def heard(self) -> tuple[bytes, bytes]:
        """Return the message's kind and text, both empty where there is none."""
        (length,) = LENGTH.unpack_from(self.memory)
        data = self.memory[LENGTH.size : LENGTH.size + length]
        return data[:1], data[1:]

    def close(self) -> None:
        """Free the memory."""
        self.memory.close()
