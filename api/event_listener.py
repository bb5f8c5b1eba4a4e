"""One open stream of events: what waits to be sent, and where an earlier stream broke off."""

import asyncio
import re
from collections import deque
from typing import NamedTuple, Self

from api.event_items import View
from broker.event_stream import Position

_WAITING_MAX = 256  #: chunks, at most ten a second


class Place(NamedTuple):
    """The id of the last event that a client saw: an entry, and how many tasks of it when not all of it."""

    position: Position
    tasks: int | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read an event's id; None when it is none."""
        found = re.fullmatch(r"(\d+-\d+)(?:-(\d{1,9}))?", text.strip(), re.ASCII)
        position = Position.parse(found[1]) if found else None
        if found is None or position is None:
            return None
        return cls(position, int(found[2]) if found[2] else None)


class Listener:
    """Takes chunks from the hub and gives them to the response, which may be slower."""

    def __init__(self, view: View, authorization: str) -> None:
        self.view = view
        self.authorization = authorization
        self._chunks: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._ended = False

    def offer(self, chunk: bytes) -> None:
        """Send a chunk soon; a listener that is too slow is cut off, so that it comes back and reads what it missed."""
        if len(self._chunks) >= _WAITING_MAX:
            self._chunks.clear()
            self.end(self.view.remark(": the stream ends here; reconnect"))
        elif not self._ended:
            self._chunks.append(chunk)
            self._news.set()

    def end(self, farewell: bytes = b"") -> None:
        """End the stream behind what waits."""
        if not self._ended:
            self._chunks.append(farewell)
        self._ended = True
        self._news.set()

    async def next(self) -> bytes:
        """Return what waits, as soon as something does; nothing at the end."""
        while not self._chunks and not self._ended:
            self._news.clear()
            await self._news.wait()
        whole = b"".join(self._chunks)
        self._chunks.clear()
        return whole
