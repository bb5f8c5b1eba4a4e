"""Keeps secrets out of logs: replaces their values, in every form that programs commonly print, by three asterisks.

Bytes are scrubbed as they come, before they are cut into lines or dropped: what may be the beginning of a value
waits for the rest.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from worker.runners.protocol import OutputSink

MASK = b"***"
LEAST_BYTES = 4
PART_BYTES = 8  #: shortest line of a value, or part of it, that is looked for
_MOST_LINES = 200  #: of all values of a task that are also looked for one by one, the longest first
_MOST_BASE64_LINES = 800
_WIDTHS = (64, 76)  #: of lines of base64


class Scrubber:
    """Knows the values of one task's secrets."""

    def __init__(self, values: Iterable[str]) -> None:
        known = list(values)
        texts = {*known, *_lines(known)}
        forms = {form for value in known for form in _forms(value)}
        forms |= {form for text in texts for form in _text_forms(text)}
        forms |= set(_base64_lines(known))
        self._forms = sorted((it for it in forms if len(it) >= LEAST_BYTES), key=lambda it: (-len(it), it))
        self._longest = len(self._forms[0]) if self._forms else 0
        self._all = b"\0".join(self._forms)

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._forms)

    def scrub(self, data: bytes) -> bytes:
        """Return the bytes without the values."""
        for form in self._forms:
            data = data.replace(form, MASK)
        return data

    def text(self, text: str) -> str:
        """Return a short text without the values, and without longer parts of them: messages quote cut lines."""
        if not self._forms:
            return text
        data = self.scrub(text.encode("utf-8", "replace"))
        kept, at = bytearray(), 0
        while at < len(data):
            end = at
            while len(gram := data[end : end + PART_BYTES]) == PART_BYTES and gram in self._all:
                end += 1
            if end > at:
                kept += MASK
                at = end + PART_BYTES - 1
            else:
                kept.append(data[at])
                at += 1
        return kept.decode("utf-8", "replace")

    def unsure(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a value."""
        window = data[-(self._longest - 1) :] if self._longest > 1 else b""
        most = 0
        for form in self._forms:
            at = window.find(form[:1], max(0, len(window) - len(form) + 1))
            while at >= 0 and len(window) - at > most:
                if form.startswith(window[at:]):
                    most = len(window) - at
                at = window.find(form[:1], at + 1)
        return most


class ScrubbedSink:
    """Hands what a script prints to another sink, without the values of its secrets."""

    def __init__(self, sink: OutputSink, scrubber: Scrubber) -> None:
        self._sink, self._scrubber = sink, scrubber
        self._held: dict[str, bytes] = {}

    def write(self, stream: str, data: bytes) -> None:
        """Take raw bytes of a stream."""
        clean = self._scrubber.scrub(self._held.pop(stream, b"") + data)
        unsure = self._scrubber.unsure(clean)
        if unsure:
            self._held[stream] = clean[-unsure:]
            clean = clean[:-unsure]
        if clean:
            self._sink.write(stream, clean)

    def finish(self) -> None:
        """Hand on what still waited: nothing more will come."""
        held, self._held = self._held, {}
        for stream, data in held.items():
            self._sink.write(stream, data)


def _lines(values: Iterable[str]) -> list[str]:
    """Return the longer lines of values; so few that looking for them all doesn't slow the worker down."""
    lines = {line.strip() for value in values for line in value.splitlines()}
    long = (line for line in lines if len(line.encode()) >= PART_BYTES)
    return sorted(long, key=lambda line: (-len(line), line))[:_MOST_LINES]


def _forms(value: str) -> Iterator[bytes]:
    """Yield a whole value in hexadecimal digits and base64."""
    raw = value.encode()
    if len(raw) >= LEAST_BYTES:
        yield raw.hex().encode()
        yield from _base64(raw)


def _text_forms(text: str) -> Iterator[bytes]:
    """Yield a value or a line of it as programs print it."""
    if len(text.encode()) < LEAST_BYTES:
        return
    yield text.encode()
    yield quote(text, safe="").encode()
    yield quote(text).encode()
    yield quote_plus(text).encode()
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
    yield repr(text)[1:-1].encode()
    yield repr(text.encode())[2:-1].encode()


def _base64(raw: bytes) -> Iterator[bytes]:
    """Yield the base64 of a value alone and inside other bytes, in both alphabets."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw)
        yield whole
        yield whole.rstrip(b"=")
        for before in range(3):  # as in `user:key`
            start = before + 1 if before else 0
            inner = encode(bytes(before) + raw)[start : (before + len(raw)) * 8 // 6]
            if len(inner) >= PART_BYTES:
                yield inner


def _base64_lines(values: Iterable[str]) -> list[bytes]:
    """Return the lines of the base64 of values, in both alphabets and the usual widths; as few as of `_lines`."""
    lines: set[bytes] = set()
    for value in values:
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(value.encode())
            for width in _WIDTHS:
                if len(whole) > width:
                    lines.update(whole[at : at + width] for at in range(0, len(whole), width))
    long = (line for line in lines if len(line) >= PART_BYTES)
    return sorted(long, key=lambda line: (-len(line), line))[:_MOST_BASE64_LINES]
