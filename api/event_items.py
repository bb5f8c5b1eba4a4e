"""Events as listeners get them: made once, written once for all who look at the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from api import protobuf
from api.job_view import job_of
from api.shapes.base import Shape
from api.shapes.events import DATA_TYPES, EventName, EventStreamItem, Ping, TaskChange
from broker.event_stream import Entry, Position
from gridloom.changes import JobChange
from gridloom.ids import task_id


class Form(StrEnum):
    """What a stream consists of; the values are the media types."""

    EVENTS = "text/event-stream"
    LINES = "application/json"  #: items as JSON, one a line
    MESSAGES = protobuf.MEDIA_TYPE  #: items as messages, each behind its length as a varint


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One event as JSON; without an id it is no place to go on from."""

    name: EventName
    job_id: str
    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What some listeners see: an owner's jobs, or only `job_ids`, with or without tasks; and in which form."""

    owner_id: str
    job_ids: frozenset[str] = frozenset()
    tasks: bool = True
    form: Form = Form.EVENTS

    def chunk(self, items: Sequence[Item]) -> bytes:
        """Return the bytes of those items that the view shows."""
        return b"".join(self._written(it) for it in items if self._shows(it))

    def remark(self, text: str) -> bytes:
        """Return what only a stream of events has room for: a field or comment that is no item."""
        return f"{text}\n\n".encode() if self.form is Form.EVENTS else b""

    def _shows(self, item: Item) -> bool:
        if item.name is EventName.TASK_UPDATED and not self.tasks:
            return False
        return not (self.job_ids and item.job_id) or item.job_id in self.job_ids

    def _written(self, item: Item) -> bytes:
        place = f"id: {item.id}\n" if item.id else ""
        return self._framed(item.text, head=f"event: {item.name}\n{place}")

    def _framed(self, text: str, head: str = "") -> bytes:
        if self.form is Form.MESSAGES:
            return protobuf.delimited(EventStreamItem, text)
        return f"{text}\n".encode() if self.form is Form.LINES else f"{head}data: {text}\n\n".encode()

    def refusal(self, code: int, message: str) -> bytes:
        """Return the last item of a stream that the server ends."""
        return self._framed(json.dumps({"error": {"code": code, "message": message, "details": []}}))


def items_of(
    entries: Sequence[Entry], owners: Mapping[str, str], jobs: Mapping[str, Row[Any]], skip: int = 0
) -> dict[str, list[Item]]:
    """Return the events of entries by owner, without the first `skip` tasks of the first entry.

    A job that changed in several entries is told once, at the last: who reads on from any place misses nothing.
    """
    last = {
        it.change.job_id: it.position
        for it in entries
        if it.change and (it.change.shown or it.change.deleted)
    }
    found: dict[str, list[Item]] = {}
    for number, entry in enumerate(entries):
        if entry.change is None or (owner := owners.get(entry.change.job_id)) is None:
            continue
        change, items = entry.change, found.setdefault(owner, [])
        items += _tasks(change, entry.position)[0 if number else skip :]
        row = jobs.get(change.job_id)
        if row is not None and last.get(change.job_id) == entry.position:
            items += _job(row, change, entry.position)
    return found


def job_item(row: Row[Any], *, id_: str = "") -> Item:
    """Return the event that shows a job as it is."""
    name = EventName.JOB_UPDATED if row.deleted_at is None else EventName.JOB_DELETED
    return Item(name=name, job_id=row.id, id=id_, text=_text(name, id_, job_of(row)))


def ping(position: Position | None, *, resync: bool = False) -> Item:
    """Return the event that only tells that the stream is alive, and where it is."""
    id_ = str(position or "")
    data = Ping(at=datetime.now(UTC), resync=resync)
    return Item(name=EventName.PING, job_id="", id=id_, text=_text(EventName.PING, id_, data))


def _job(row: Row[Any], change: JobChange, position: Position) -> list[Item]:
    # What still moves in a deleted job concerns nobody.
    return [job_item(row, id_=str(position))] if row.deleted_at is None or change.deleted else []


def _tasks(change: JobChange, position: Position) -> list[Item]:
    at = datetime.fromtimestamp(change.at, UTC)
    items: list[Item] = []
    for moves in change.moves:
        for chunk, attempt in moves.tasks:
            data = TaskChange(
                id=task_id(change.job_id, moves.stage, chunk),
                job_id=change.job_id,
                chunk_number=chunk,
                state=moves.state,
                state_timestamps={moves.state.value: at},
                retries=max(0, attempt - 1),
                stage=moves.stage,
                attempt=attempt,
            )
            id_, name = f"{position}-{len(items) + 1}", EventName.TASK_UPDATED
            items.append(Item(name=name, job_id=change.job_id, id=id_, text=_text(name, id_, data)))
    return items


def _text(name: EventName, id_: str, data: Shape) -> str:
    members = data.model_dump(mode="json", by_alias=True)
    event = {"event": name, "id": id_, "data": {"@type": DATA_TYPES[type(data)], **members}}
    if not id_:
        del event["id"]
    return json.dumps({"result": event}, separators=(",", ":"))
