"""A job's log as one file, made while it is sent."""

from collections.abc import Iterator
from enum import StrEnum

from api.log_lines import as_json, as_text, event
from api.log_reader import LogReader, Places
from api.log_scan import LineFilter

_BLOCK_BYTES = 1 << 16


class LogFormat(StrEnum):
    """What a downloaded log is: lines for people, or a JSON object a line."""

    TEXT = "text"
    JSONL = "jsonl"


MEDIA_TYPES = {LogFormat.TEXT: "text/plain; charset=utf-8", LogFormat.JSONL: "application/jsonl"}
SUFFIXES = {LogFormat.TEXT: "log", LogFormat.JSONL: "jsonl"}


def blocks(
    reader: LogReader, job_id: str, wanted: LineFilter, places: Places, form: LogFormat
) -> Iterator[bytes]:
    """Yield the wanted lines; no more than one segment of them is in memory."""
    block = bytearray()
    for lines, _ in reader.segments(job_id, wanted, places):
        for line in lines:
            text = as_text(line) if form is LogFormat.TEXT else as_json(event(job_id, line))
            block += text.encode("utf-8", "replace") + b"\n"
            if len(block) >= _BLOCK_BYTES:
                yield bytes(block)
                block.clear()
    yield bytes(block)
