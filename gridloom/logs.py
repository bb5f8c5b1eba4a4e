"""A line of a task's log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Stream = Literal["stdout", "stderr", "fabric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line without its end: when it arrived (aware UTC), where it was printed; `fabric` is our own word."""

    ts: datetime
    stream: Stream
    text: str
