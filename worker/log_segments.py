"""Packs log lines of many attempts into the segments that the wire and the object store carry."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from gridloom.log_frames import Entry, json_line, level_byte, micros, pack, searchable
from gridloom.logs import LEVELS, LogLine, level_bits
from gridloom.wire import LogSegment
from worker.log_levels import level_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEVEL_BYTES = {level: level_byte(level) for level in LEVELS}


def pack_lines(
    batches: Iterable[tuple[int, int, Iterable[LogLine]]], offset: int
) -> tuple[LogSegment, bytes] | None:
    """Return one segment of the lines of (chunk, attempt, lines) that starts at `offset`; None without any line."""
    entries = [_entry(chunk, attempt, line) for chunk, attempt, lines in batches for line in lines]
    if not entries:
        return None
    lines = pack("".join(map(json_line, entries)).encode())
    texts = pack(b"".join(_LEVEL_BYTES[it.level] + searchable(it.text) + b"\n" for it in entries))
    segment = LogSegment(
        first_chunk=min(it.chunk for it in entries),
        last_chunk=max(it.chunk for it in entries),
        lines=len(entries),
        levels=level_bits({it.level for it in entries}),
        first_at=micros(min(it.t for it in entries)),
        last_at=micros(max(it.t for it in entries)),
        offset=offset,
        size=len(lines),
        texts_size=len(texts),
    )
    return segment, lines + texts


def _entry(chunk: int, attempt: int, line: LogLine) -> Entry:
    return Entry(
        t=(line.ts - _EPOCH) // _MICROSECOND,
        chunk=chunk,
        attempt=attempt,
        stream=line.stream,
        level=line.level or level_of(line.text, line.text.lower()),
        text=line.text,
    )
