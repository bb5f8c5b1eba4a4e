"""Packs log lines of many attempts into the segments that the wire and the object store carry."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import zstandard

from gridloom.logs import LogLine
from gridloom.wire import LogSegment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEVEL = 3


def pack_lines(
    batches: Iterable[tuple[int, int, Iterable[LogLine]]], offset: int
) -> tuple[LogSegment, bytes] | None:
    """Return one segment of the lines of (chunk, attempt, lines) that starts at `offset`; None without any line."""
    chunks: list[int] = []
    texts: list[str] = []
    for chunk, attempt, lines in batches:
        for line in lines:
            texts.append(_encode(chunk, attempt, line))
            chunks.append(chunk)
    if not texts:
        return None
    data = zstandard.ZstdCompressor(level=_LEVEL).compress("".join(texts).encode())
    segment = LogSegment(
        first_chunk=min(chunks), last_chunk=max(chunks), lines=len(texts), offset=offset, size=len(data)
    )
    return segment, data


def _encode(chunk: int, attempt: int, line: LogLine) -> str:
    members = {
        "t": (line.ts - _EPOCH) // _MICROSECOND,
        "c": chunk,
        "a": attempt,
        "s": line.stream,
        "m": line.text,
    }
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n"
