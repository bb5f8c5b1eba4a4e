"""How log lines are stored: a segment is two zstd frames, the lines and, to search them, their texts.

The first frame holds JSON lines `{t, c, a, s, l, m}`: time in microseconds since 1970, chunk, attempt, stream, level,
text. t and c come first, and t has sixteen digits, so that both can be compared in the raw bytes. The second holds, for
each of those lines, a byte for its level and its text in lower case. No such byte occurs in UTF-8, nor a line's end in
a text: what is found in the second frame is found in the line of the same number, without a look at the JSON.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import zstandard

from gridloom.logs import LEVELS, LogLevel

MOST_BYTES = 1 << 28  #: of a frame when unpacked; a packer stays far below
_FIRST_BYTE = 0xF8
_ZSTD_LEVEL = 3
#: In 2001 the sixteenth digit came, in 2286 the seventeenth will; a clock that says otherwise is wrong anyway.
_EARLIEST, _LATEST = 10**15, 10**16 - 1
_TIME = slice(5, 21)
_LEVELS = {str(level): level for level in LEVELS}
_LEVEL_BYTES = {level: bytes((_FIRST_BYTE + place,)) for place, level in enumerate(LEVELS)}
_json_text = json.JSONEncoder(ensure_ascii=False).encode


class Entry(NamedTuple):
    """A line as it is stored: `t` in microseconds since 1970. A tuple, since it is made by the million."""

    t: int
    chunk: int
    attempt: int
    stream: str
    level: LogLevel
    text: str


def json_line(entry: Entry) -> str:
    """Return a line of the first frame with its end."""
    it = entry
    head = f'{{"t":{micros(it.t)},"c":{it.chunk},"a":{it.attempt},"s":"{it.stream}","l":"{it.level}","m":'
    return f"{head}{_json_text(it.text)}}}\n"


def from_json(lines: Sequence[bytes]) -> list[Entry]:
    """Read lines of the first frame.

    Raises:
        ValueError: when they are no such lines; KeyError when a member is missing.
    """
    # All at once is three times as fast as one by one.
    members: list[dict[str, Any]] = json.loads(b"[%b]" % b",".join(lines))
    return [Entry(it["t"], it["c"], it["a"], it["s"], _LEVELS[it["l"]], it["m"]) for it in members]


def micros(t: int) -> int:
    """Return the time with sixteen digits that is nearest."""
    return min(max(t, _EARLIEST), _LATEST)


def time_of(line: bytes) -> bytes:
    """Return the sixteen digits of a JSON line's time."""
    return line[_TIME]


def chunk_of(line: bytes) -> bytes:
    """Return the digits of a JSON line's chunk."""
    return line[26 : line.index(b",", 26)]


def stream_mark(stream: str) -> bytes:
    """Return what the JSON lines of a stream contain and, since quotes in texts are escaped, no others."""
    return b',"s":"%s",' % stream.encode()


def level_byte(level: LogLevel) -> bytes:
    """Return the byte that lines of a level begin with in the second frame."""
    return _LEVEL_BYTES[level]


def searchable(lowered: str) -> bytes:
    """Return a text in lower case, or a part of one, as the second frame has it."""
    return lowered.replace("\n", "\r").encode("utf-8", "replace")


def searchable_line(level: LogLevel, lowered: str) -> bytes:
    """Return a line of the second frame with its end."""
    return _LEVEL_BYTES[level] + searchable(lowered) + b"\n"


def pack(lines: bytes) -> bytes:
    """Return lines as a frame."""
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(lines)


def unpack(frame: bytes) -> bytes:
    """Return the lines in a frame.

    Raises:
        ValueError: when it is damaged or too large.
    """
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if size > MOST_BYTES:  # also when it isn't said
            raise ValueError(f"a frame of {size} bytes is too large")
        return zstandard.ZstdDecompressor().decompress(frame)
    except zstandard.ZstdError as error:
        raise ValueError(f"a damaged frame: {error}") from None


def join(frames: Iterable[bytes]) -> bytes:
    """Return one frame with the lines of many."""
    return pack(b"".join(map(unpack, frames)))
