"""Reads a job's log lines out of the object store, a bounded number at a time."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
import zstandard
from sqlalchemy import Row

from gridloom.errors import BadInput, BlobMissing
from gridloom.states import Stage
from storage.blobs import BlobStore
from storage.db import Database
from storage.repositories import logs

log = structlog.get_logger()

_SEGMENTS_AT_ONCE = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_ID = 2**63 - 1

Wanted = Mapping[Stage, frozenset[int] | None]
"""Which stages to read, and which of their chunks; None means all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """One line with the place it came from; `stream` is stdout, stderr or fabric."""

    stage: Stage
    chunk: int
    attempt: int
    at: datetime
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has come: `lines` of segment `segment` are next to skip.

    As text `7` means that segment 7 was read, `7.20` that 20 lines of it were.
    """

    segment: int = 0
    lines: int = 0

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor's text; the empty one is the start.

        Raises:
            BadInput: when it is no cursor.
        """
        segment, dot, lines = text.partition(".")
        try:
            numbers = (int(segment or 0), int(lines or 0))
        except ValueError:
            numbers = (-1, -1)
        if not (0 <= numbers[0] < _LARGEST_ID and 0 <= numbers[1] < _LARGEST_ID):
            raise BadInput(f"{text[:40]!a} is not an id that an earlier answer gave", field="afterId")
        return cls(*numbers) if dot else cls(numbers[0] + 1 if segment else 0)

    def __str__(self) -> str:
        if self.lines:
            return f"{self.segment}.{self.lines}"
        return str(self.segment - 1) if self.segment else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReader:
    """Reads lines of jobs."""

    database: Database
    store: BlobStore

    def read(
        self, job_id: str, wanted: Wanted, cursor: Cursor, limit: int, take: Callable[[StoredLine], None]
    ) -> Cursor:
        """Hand at most `limit` lines from `cursor` on to `take`; return where to go on."""
        for segment in self._segments(job_id, wanted, cursor.segment):
            skip = cursor.lines if segment.id == cursor.segment else 0
            chunks = wanted[Stage(segment.stage)]
            for number, line in enumerate(self._lines(segment)):
                if number < skip or not (chunks is None or line.chunk in chunks):
                    continue
                if not limit:
                    return Cursor(segment.id, number)
                take(line)
                limit -= 1
            cursor = Cursor(segment.id + 1)
        return cursor

    def _segments(self, job_id: str, wanted: Wanted, from_id: int) -> Iterator[Row[Any]]:
        while True:
            with self.database.read() as connection:
                rows = logs.segments(
                    connection, job_id, wanted=wanted, from_id=from_id, limit=_SEGMENTS_AT_ONCE
                )
            yield from rows
            if len(rows) < _SEGMENTS_AT_ONCE:
                return
            from_id = rows[-1].id + 1

    def _lines(self, segment: Row[Any]) -> Iterator[StoredLine]:
        try:
            packed = self.store.get_bytes(segment.key, segment.offset, segment.size)
            with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
                for text in io.TextIOWrapper(reader, encoding="utf-8"):
                    yield _parsed(Stage(segment.stage), text)
        except (BlobMissing, zstandard.ZstdError, ValueError, KeyError, TypeError, OverflowError) as error:
            log.warning("log_segment_unreadable", job=segment.job_id, segment=segment.id, error=str(error))


def _parsed(stage: Stage, text: str) -> StoredLine:
    raw = json.loads(text)
    return StoredLine(
        stage=stage,
        chunk=raw["c"],
        attempt=raw["a"],
        at=_EPOCH + timedelta(microseconds=raw["t"]),
        stream=raw["s"],
        text=raw["m"],
    )
