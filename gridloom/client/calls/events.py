"""Listens to Server-Sent Events and goes on with the event after the last one when the connection breaks."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gridloom.client.answers.jobs import Event
from gridloom.client.steps import Bear, Call, Item, Json, Read, Sleep, Talk
from gridloom.errors import ClientError, Unreachable

_MOST_LINE_BYTES = 16 * 1024 * 1024
_PING, _END = "ping", "end"


@dataclass(slots=True)
class EventReader:
    """Reads a stream as the HTML standard, section 9.2, has it; keeps the last id and the pause it asked for."""

    last_id: str = ""
    retry_s: float = 1.0
    _held: bytes = b""
    _name: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, block: bytes) -> Iterator[Event]:
        """Yield the events that a block completes.

        Raises:
            ClientError: when a line has no end.
        """
        *lines, self._held = (self._held + block).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._held) > _MOST_LINE_BYTES:
            raise ClientError("the fabric sends an event without end")
        for line in lines:
            if line:
                self._take(line.decode(errors="replace").rstrip("\r"))
            elif event := self._finish():
                yield event

    def start(self) -> None:
        """Forget the half event that a broken stream left."""
        self._held, self._name, self._data = b"", "", []

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id":
                self.last_id = value
            case "retry" if value.isdigit():
                self.retry_s = int(value) / 1000

    def _finish(self) -> Event | None:
        name, text = self._name, "\n".join(self._data)
        self._name, self._data = "", []
        if not text or name == _PING:
            return Event({"event": name}) if name == _END else None
        try:
            document = json.loads(text)
        except ValueError:
            document = {"text": text}
        document = document if isinstance(document, dict) else {"value": document}
        if isinstance(failure := document.get("error"), dict):
            raise ClientError(str(failure.get("message") or "the fabric ended the events"))
        inner = document.get("result")
        inner = inner if isinstance(inner, dict) else {"event": name, "data": document}
        return Event({"event": name} | inner | {"id": self.last_id})


def listen(
    path: str, query: Json, *, after_id: str, item_of: Callable[[Event], Any] = lambda event: event
) -> Talk[None]:
    """Yield what `item_of` makes of each event of a stream, until an event `end`."""
    reader = EventReader(last_id=after_id)
    while True:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        headers |= {"Last-Event-ID": reader.last_id} if reader.last_id else {}
        reader.start()
        yield Call(method="GET", path=path, query=query, headers=headers, streams=True)
        try:
            while block := (yield Read()):
                for event in reader.feed(block):
                    if event.event == _END:
                        return
                    yield Item(value=item_of(event))
        except Unreachable as error:
            yield Bear(error=error)
        else:
            yield Sleep(seconds=reader.retry_s)


def events(*, job_ids: Sequence[str] = (), tasks: bool = True, after_id: str = "") -> Talk[None]:
    """Yield what happens to the caller's jobs and tasks, from now on or from after an event on; never ends.

    `job_ids` limits it to some jobs, `tasks=False` leaves tasks out.
    """
    query: Json = {"jobId": list(job_ids), "tasks": tasks}
    yield from listen("/v1/customer/events", query, after_id=after_id)
