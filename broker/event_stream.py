"""The stream of changes: one short Redis stream into which every writer puts what it committed.

Like hints its entries carry no authority and may be lost: the database is the truth. Whoever knows that entries were
lost adds a mark, at which readers look into the database.
"""

import re
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import redis
import structlog
from pydantic import ValidationError

from broker.redis_link import KEY_PREFIX, async_redis_client, redis_client
from gridloom.changes import JobChange
from gridloom.errors import Unavailable

log = structlog.get_logger()

_STREAM = f"{KEY_PREFIX}events"
_ENTRIES_MAX = 20_000
_WAITING_MAX = 4_096  #: changes that wait to be sent; a broker that hangs must not fill the memory
_PER_CALL = 256
_RETRY_S = 1.0
_CHANGE, _LOST = b"c", b"lost"


class Position(NamedTuple):
    """The place of an entry in the stream."""

    ms: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `<milliseconds>-<number>`; None when it is something else."""
        found = re.fullmatch(r"(\d{1,15})-(\d{1,15})", text, re.ASCII)
        return cls(int(found[1]), int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry; without a change it marks that some were lost before it."""

    position: Position
    change: JobChange | None


class EventPublisher:
    """Sends changes to the stream on a thread of its own."""

    def __init__(self, broker_url: str) -> None:
        self._redis = redis_client(broker_url, timeout_s=2.0)
        self._waiting: deque[JobChange] = deque()
        self._news = threading.Condition()
        self._lost = self._closed = False
        self._thread = threading.Thread(target=self._loop, name="events", daemon=True)
        self._thread.start()

    def publish(self, changes: Sequence[JobChange]) -> None:
        """Send changes soon; neither waits nor raises, and gives up the oldest when too many wait."""
        with self._news:
            self._waiting.extend(changes)
            while len(self._waiting) > _WAITING_MAX:
                self._waiting.popleft()
                self._lost = True
            self._news.notify()

    def close(self) -> None:
        """Try once to send what waits, then stop."""
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join()
        self._redis.close()

    def _loop(self) -> None:
        away = False
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closed, _RETRY_S if self._lost else None)
                lost, last = self._lost, self._closed
                batch = [self._waiting.popleft() for _ in range(min(_PER_CALL, len(self._waiting)))]
                last = last and not self._waiting
            if batch or lost:
                sent = self._send(batch, lost=lost, quiet=away)
                with self._news:
                    # More may have been given up meanwhile.
                    self._lost = not sent or (self._lost and not lost)
                    if not sent and not self._closed:
                        self._news.wait_for(lambda: self._closed, _RETRY_S)
                away = not sent
            if last or (away and self._closed):
                return

    def _send(self, batch: Sequence[JobChange], *, lost: bool, quiet: bool) -> bool:
        try:
            pipe = self._redis.pipeline(transaction=False)
            entries: list[dict[Any, Any]] = [{_LOST: b"1"}] if lost else []
            entries += [{_CHANGE: it.model_dump_json(exclude_defaults=True)} for it in batch]
            for fields in entries:
                pipe.xadd(_STREAM, fields, maxlen=_ENTRIES_MAX, approximate=True)
            pipe.execute()
        except redis.RedisError as error:
            if not quiet:
                log.warning("events_not_sent", changes=len(batch), error=str(error))
            return False
        return True


class EventReader:
    """Reads the stream within an event loop; every call raises `Unavailable` when the broker is."""

    def __init__(self, broker_url: str) -> None:
        self._redis = async_redis_client(broker_url)

    async def end(self) -> Position:
        """Return the position of the newest entry; that of an empty stream is 0-0."""
        rows = await self._ask(self._redis.xrevrange(_STREAM, count=1))
        return _entry(rows[0]).position if rows else Position(0, 0)

    async def after(self, position: Position, *, limit: int, wait_s: float) -> list[Entry]:
        """Return entries behind a position, waiting for the first at most `wait_s`, which is below 5."""
        answer = await self._ask(
            self._redis.xread({_STREAM: str(position)}, count=limit, block=max(1, int(wait_s * 1000)))
        )
        return [_entry(row) for _, rows in answer or () for row in rows]

    async def between(self, first: Position, last: Position, *, limit: int) -> list[Entry]:
        """Return entries from `first` to `last`, both included."""
        rows = await self._ask(self._redis.xrange(_STREAM, str(first), str(last), count=limit))
        return [_entry(row) for row in rows]

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @staticmethod
    async def _ask(call: Any) -> Any:
        try:
            return await call
        except (redis.RedisError, OSError) as error:
            raise Unavailable(f"the broker can't be used: {error}") from error


def _entry(row: Any) -> Entry:
    position = Position.parse(row[0].decode())
    assert position is not None
    raw = row[1].get(_CHANGE)
    if raw is None:
        return Entry(position=position, change=None)
    try:
        return Entry(position=position, change=JobChange.model_validate_json(raw))
    except ValidationError as error:
        log.warning("event_unreadable", entry=str(position), error=str(error))
        return Entry(position=position, change=None)
