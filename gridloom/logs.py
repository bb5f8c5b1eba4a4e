"""A line of a task's log, and how serious it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

Stream = Literal["stdout", "stderr", "fabric"]


class LogLevel(StrEnum):
    """How serious a line is; UNKNOWN is what doesn't tell."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"
    DEBUG = "DEBUG"
    UNKNOWN = "UNKNOWN"


LEVELS = tuple(LogLevel)  #: their places are their bits in a level set


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line without its end: when it arrived (aware UTC), where it was printed; `fabric` is our own word.

    Only our own lines come with a level; of all others it is read from their text.
    """

    ts: datetime
    stream: Stream
    text: str
    level: LogLevel | None = None


def level_bits(levels: Iterable[LogLevel]) -> int:
    """Return a set of levels as a number with one bit each."""
    bits = 0
    for level in levels:
        bits |= 1 << LEVELS.index(level)
    return bits
