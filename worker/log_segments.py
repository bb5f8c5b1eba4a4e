"""Packs log lines of many attempts into the segments that the wire and the object store carry."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from gridloom.ids import new_uuid
from gridloom.log_frames import Entry, json_line, micros, pack, searchable_line
from gridloom.logs import LogLine, level_bits
from gridloom.wire import LogSegment
from worker.log_levels import level_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def pack_lines(
    batches: Iterable[tuple[int, int, Iterable[LogLine]]],
) -> tuple[LogSegment, bytes] | None:
    """Return one segment of the lines of (chunk, attempt, lines) and its bytes; None without any line."""
    entries: list[Entry] = []
    texts: list[bytes] = []
    for chunk, attempt, lines in batches:
        for line in lines:
            lowered = line.text.lower()
            level = line.level or level_of(line.text, lowered)
            at = (line.ts - _EPOCH) // _MICROSECOND
            entries.append(Entry(at, chunk, attempt, line.stream, level, line.text))
            texts.append(searchable_line(level, lowered))
    if not entries:
        return None
    lines_frame = pack("".join(map(json_line, entries)).encode())
    texts_frame = pack(b"".join(texts))
    segment = LogSegment(
        id=new_uuid(),
        first_chunk=min(it.chunk for it in entries),
        last_chunk=max(it.chunk for it in entries),
        lines=len(entries),
        levels=level_bits({it.level for it in entries}),
        first_at=micros(min(it.t for it in entries)),
        last_at=micros(max(it.t for it in entries)),
        size=len(lines_frame),
        texts_size=len(texts_frame),
    )
    return segment, lines_frame + texts_frame
