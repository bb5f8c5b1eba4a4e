"""Turning what a script prints into log lines, within a bound whatever it prints.

The first half of the bound is cut into lines as it comes, for live readers. What follows is kept as raw pieces in a
ring, the oldest dropped first, and cut only at the end: so a flood costs a copy and no more.
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from gridloom.logs import LogLevel, LogLine, Stream

CAP_BYTES = 1 << 20
LINE_BYTES = 16 * 1024
PIECE_BYTES = 64 * 1024
#: What each line is charged beyond its bytes, so that empty lines are bounded too; a slice of the head is small
#: enough that its empty lines can't overdraw much.
OVERHEAD_BYTES = 64
SLICE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Piece:
    """Raw bytes of one stream and when they came."""

    ts: datetime
    stream: Stream
    data: bytes
    lines: int = 0

    @property
    def cost(self) -> int:
        """What the piece takes of the bound."""
        return len(self.data) + OVERHEAD_BYTES * (self.lines + 1)


class OutputCapture:
    """An `OutputSink` that keeps the head and the tail of what is printed, as lines."""

    def __init__(self, cap_bytes: int = CAP_BYTES) -> None:
        self._half = cap_bytes // 2
        self._lock = threading.Lock()
        self._ready: list[LogLine] = []
        self._head_cost = 0
        self._unended: dict[Stream, Piece] = {}
        self._tail: deque[Piece] = deque()
        self._tail_cost = 0
        self._lost_lines = self._lost_bytes = 0

    def write(self, stream: str, data: bytes) -> None:
        """Take raw bytes of `stream` ("stdout" or "stderr")."""
        now, name = datetime.now(UTC), cast("Stream", stream)
        with self._lock:
            start = 0
            while start < len(data) and self._head_cost < self._half:
                part = data[start : start + SLICE_BYTES]
                self._ready += self._cut(Piece(now, name, part))
                start += len(part)
            for place in range(start, len(data), PIECE_BYTES):
                part = data[place : place + PIECE_BYTES]
                self._to_tail(Piece(now, name, part, part.count(b"\n")))

    def say(self, text: str) -> None:
        """Take a line of the fabric's own."""
        with self._lock:
            line = LogLine(ts=datetime.now(UTC), stream="fabric", text=text, level=LogLevel.INFO)
            self._ready.append(line)

    def drain(self) -> list[LogLine]:
        """Take the lines that are ready; thread-safe. Past the head's bound the rest is ready only at the end."""
        with self._lock:
            lines, self._ready = self._ready, []
            return lines

    def finish(self) -> None:
        """Make everything ready: lines without an end, and the tail after a word about what was left out."""
        with self._lock:
            if self._lost_bytes:
                self._ready += self._end_lines()
                text = f"… {self._lost_lines} lines ({self._lost_bytes} bytes) left out …"
                now = datetime.now(UTC)
                self._ready.append(LogLine(ts=now, stream="fabric", text=text, level=LogLevel.INFO))
            while self._tail:
                self._ready += self._cut(self._tail.popleft())
            self._ready += self._end_lines()
            self._tail_cost = 0

    def _cut(self, piece: Piece) -> list[LogLine]:
        """Return the lines that end in the piece, charging the head for them; keep the rest for the next piece."""
        before = self._unended.pop(piece.stream, Piece(piece.ts, piece.stream, b""))
        *lines, rest = split(before.data + piece.data)
        found, ts = [], before.ts if before.data else piece.ts
        for line in lines:
            self._head_cost += len(line) + OVERHEAD_BYTES
            found.append(LogLine(ts=ts, stream=piece.stream, text=decode(line)))
            ts = piece.ts
        if rest:
            self._unended[piece.stream] = Piece(ts, piece.stream, rest)
        return found

    def _end_lines(self) -> list[LogLine]:
        """Return the lines that were begun as they are."""
        pieces, self._unended = self._unended.values(), {}
        return [LogLine(ts=it.ts, stream=it.stream, text=decode(it.data)) for it in pieces]

    def _to_tail(self, piece: Piece) -> None:
        self._tail.append(piece)
        self._tail_cost += piece.cost
        while self._tail_cost > self._half and len(self._tail) > 1:
            dropped = self._tail.popleft()
            self._tail_cost -= dropped.cost
            self._lost_lines += dropped.lines
            self._lost_bytes += len(dropped.data)


def split(data: bytes) -> Iterator[bytes]:
    """Yield the lines in the bytes without their ends, those over 16 KiB in pieces; last the line not yet ended."""
    *lines, rest = data.split(b"\n")
    for line in lines:
        yield from cut(line)
    yield from cut(rest)


def cut(line: bytes) -> Iterator[bytes]:
    """Yield a line in pieces of at most 16 KiB that part no character."""
    while len(line) > LINE_BYTES:
        end = LINE_BYTES
        while end > LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
        yield line[:end]
        line = line[end:]
    yield line


def decode(line: bytes) -> str:
    """Return the text of a line, what is no UTF-8 replaced."""
    return line.removesuffix(b"\r").decode("utf-8", "replace")
