"""Reads a job's log lines out of the object store, a bounded number at a time."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import structlog

from api.log_scan import LineFilter, scan
from gridloom.errors import BadInput, BlobMissing
from gridloom.log_frames import Entry, from_json
from gridloom.states import Stage
from storage.blobs import BlobStore
from storage.columns import AnyRow
from storage.db import Database
from storage.repositories import logs

log = structlog.get_logger()

_SEGMENTS_AT_ONCE = 200
_PARSED_AT_ONCE = 500
_LARGEST_PLACE = 2**63 - 1


class StoredLine(NamedTuple):
    """A line and where it stands: its stage, and how many lines of the job came before it."""

    place: int
    stage: Stage
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some wanted lines, and the place to go on from; `complete` is false when the time was over before the end."""

    lines: list[StoredLine]
    place: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Places:
    """The lines of a job from `start` to before `end`."""

    start: int
    end: int


def place_of(text: str) -> int | None:
    """Read the id that an earlier answer gave, None when there is none.

    Raises:
        BadInput: when it is no such id.
    """
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_LARGEST_PLACE)) - 1:
        raise BadInput(f"{text[:40]!a} is not an id that an earlier answer gave", field="afterId")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReader:
    """Reads lines of jobs."""

    database: Database
    store: BlobStore

    def total(self, job_id: str) -> int:
        """Return how many lines a job has."""
        with self.database.read() as connection:
            return logs.total_lines(connection, job_id)

    def page(
        self, job_id: str, wanted: LineFilter, places: Places, *, limit: int, within_s: float
    ) -> LogPage:
        """Return at most `limit` of the wanted lines; gives up, between two segments, when the time is over."""
        deadline = time.monotonic() + within_s
        lines: list[StoredLine] = []
        last = places.start if wanted.newest_first else places.end
        for found, place in self.segments(job_id, wanted, places):
            for line in found:
                lines.append(line)
                if len(lines) == limit:
                    after = line.place if wanted.newest_first else line.place + 1
                    return LogPage(lines=lines, place=after, complete=True)
            if time.monotonic() > deadline:
                return LogPage(lines=lines, place=place, complete=place == last)
        return LogPage(lines=lines, place=last, complete=True)

    def segments(
        self, job_id: str, wanted: LineFilter, places: Places
    ) -> Iterator[tuple[Iterator[StoredLine], int]]:
        """Yield the wanted lines segment by segment, each with the place to go on from behind it."""
        while places.start < places.end:
            with self.database.read() as connection:
                rows = logs.segments(
                    connection,
                    job_id,
                    wanted.segments(),
                    start=places.start,
                    end=places.end,
                    newest_first=wanted.newest_first,
                    limit=_SEGMENTS_AT_ONCE,
                )
            for row in rows:
                after = row.first_line if wanted.newest_first else row.first_line + row.lines
                yield self._lines(job_id, row, wanted, places), max(places.start, min(after, places.end))
            if len(rows) < _SEGMENTS_AT_ONCE:
                return
            places = Places(places.start, after) if wanted.newest_first else Places(after, places.end)

    def _lines(
        self, job_id: str, row: AnyRow, wanted: LineFilter, places: Places, merged: bool = False
    ) -> Iterator[StoredLine]:
        stage = Stage(row.stage)
        try:
            found = scan(self.store, row, wanted)
            here = ((place, line) for place, line in found if places.start <= place < places.end)
            while some := list(islice(here, _PARSED_AT_ONCE)):
                entries = from_json([line for _, line in some])
                yield from (
                    StoredLine(place, stage, it) for (place, _), it in zip(some, entries, strict=True)
                )
        except BlobMissing as error:
            if merged:
                log.warning("log_segment_missing", job=job_id, line=row.first_line, error=error.message)
                return
            # It was merged with its neighbours since the index was read.
            end = min(places.end, row.first_line + row.lines)
            part = Places(max(places.start, row.first_line), end)
            with self.database.read() as connection:
                now = logs.segments(
                    connection, job_id, wanted.segments(), start=part.start, end=part.end, limit=2
                )
            for it in now:
                yield from self._lines(job_id, it, wanted, part, merged=True)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("log_segment_unreadable", job=job_id, line=row.first_line, error=str(error))
