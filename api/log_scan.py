"""Finds the wanted lines of one stored segment, and reads no JSON but theirs."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gridloom.log_frames import chunk_of, level_byte, searchable, stream_mark, time_of, unpack
from gridloom.logs import LogLevel, level_bits
from gridloom.states import Stage
from storage.blobs import BlobStore
from storage.columns import AnyRow
from storage.repositories.logs import Wanted

_FABRIC = stream_mark("fabric")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFilter:
    """Which lines are wanted: of which stages and chunks (None: all), with which text, of which levels, times in
    microseconds, and whether the fabric's own (None: all); and which of them come first."""

    chunks: Mapping[Stage, Collection[int] | None] = field(default_factory=lambda: dict.fromkeys(Stage))
    search: str = ""
    levels: frozenset[LogLevel] = frozenset()
    from_at: int | None = None
    to_at: int | None = None
    ours: bool | None = None
    newest_first: bool = False

    def segments(self) -> Wanted:
        """Return what the index knows of it."""
        return Wanted(
            chunks=self.chunks, levels=level_bits(self.levels), from_at=self.from_at, to_at=self.to_at
        )


def scan(store: BlobStore, segment: AnyRow, wanted: LineFilter) -> Iterator[tuple[int, bytes]]:
    """Yield the places within the job and the JSON of a segment's wanted lines, in the filter's order.

    Raises:
        BlobMissing: when the object is gone.
        ValueError: when its bytes are damaged.
    """
    numbers: Sequence[int] = range(segment.lines)
    levels = level_bits(wanted.levels)
    of_all_levels = not levels or not segment.levels & ~levels
    if wanted.search or not of_all_levels:
        texts = unpack(store.get_bytes(segment.key, segment.offset + segment.size, segment.texts_size))
        marks = () if of_all_levels else tuple(map(level_byte, wanted.levels))
        numbers = list(_found(texts, searchable(wanted.search.lower()), marks))
        if not numbers:
            return
    lines = unpack(store.get_bytes(segment.key, segment.offset, segment.size)).split(b"\n")
    if len(lines) != segment.lines + 1:
        raise ValueError(f"{len(lines) - 1} lines where {segment.lines} should be")
    tests = _tests(segment, wanted)
    for number in reversed(numbers) if wanted.newest_first else numbers:
        line = lines[number]
        if all(test(line) for test in tests):
            yield segment.first_line + number, line


def _found(texts: bytes, needle: bytes, marks: tuple[bytes, ...]) -> Iterator[int]:
    """Yield the numbers of the lines that hold the needle and begin with one of the marks; without marks all may."""
    if not needle and len(marks) > 1:
        yield from (number for number, line in enumerate(texts.split(b"\n")) if line.startswith(marks))
        return
    number = start = 0
    for at in _places(texts, needle or marks[0]):
        number += texts.count(b"\n", start, at)
        start = texts.rfind(b"\n", start, at) + 1 or start
        if not marks or texts.startswith(marks, start):
            yield number


def _places(texts: bytes, needle: bytes) -> Iterator[int]:
    """Yield where the needle stands, once a line."""
    at = texts.find(needle)
    while at >= 0:
        yield at
        at = texts.find(needle, texts.find(b"\n", at))


def _tests(segment: AnyRow, wanted: LineFilter) -> list[Callable[[bytes], bool]]:
    """Return what each JSON line of the segment has to pass; nothing is asked that holds for all of them."""
    tests: list[Callable[[bytes], bool]] = []
    chunks = wanted.chunks[Stage(segment.stage)]
    if chunks is not None and segment.first_chunk != segment.last_chunk:
        digits = frozenset(b"%d" % chunk for chunk in chunks)
        tests.append(lambda line: chunk_of(line) in digits)
    if wanted.from_at is not None and segment.first_at < wanted.from_at:
        first = b"%d" % wanted.from_at
        tests.append(lambda line: time_of(line) >= first)
    if wanted.to_at is not None and segment.last_at >= wanted.to_at:
        end = b"%d" % wanted.to_at
        tests.append(lambda line: time_of(line) < end)
    if wanted.ours is not None:
        tests.append(lambda line: (_FABRIC in line) is wanted.ours)
    return tests
