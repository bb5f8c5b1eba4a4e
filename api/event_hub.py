"""The hub of a control plane: reads the stream of changes once for all listeners, and gives each what is its owner's.

The database is the truth. An entry only names what changed; jobs are read anew before they are shown, and what the
stream lost is found by looking: all the time while the broker is away, every few seconds else.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

import structlog
from sqlalchemy.exc import DBAPIError

from api.event_items import Item, View, items_of, job_item, ping
from api.event_listener import Listener, Place
from api.event_lookup import JobLookup, JobRow
from api.shares import StreamRoom
from api.tokens import TokenGate
from broker.event_stream import Entry, EventReader, Position
from gridloom.errors import GridloomError, Unavailable
from gridloom.states import JOB_LIVE
from storage.db import Database

log = structlog.get_logger()

_PACE_S = 0.1  #: between two batches; what changes meanwhile is told together
_BATCH = 200
_WAIT_S = 1.0
_RETRY_S = 1.0
_PING_S = 15.0
_LOOK_S = 10.0
_TOKENS_S = 1.0
_SETTLE_S = 6.0  #: a broker that hangs is known to be away after 5
_CATCH_UP_TURNS = 10
_STREAMS_MAX, _STREAMS_EACH = 4_000, 1_000
_REPLAYS_AT_ONCE = 2


class EventHub:
    """Follows the stream while anybody listens."""

    def __init__(self, database: Database, reader: EventReader, gate: TokenGate) -> None:
        self._lookup, self._reader, self._gate = JobLookup(database), reader, gate
        self._views: dict[str, dict[View, set[Listener]]] = {}
        self._live: dict[str, dict[str, JobRow]] = {}  # of each owner who listens: the live jobs as last seen
        self._position: Position | None = (
            None  # listeners got everything up to here; None: the broker is away
        )
        self.room = StreamRoom(most=_STREAMS_MAX, most_each=_STREAMS_EACH)
        self._open = 0
        self._wanted, self._settled = asyncio.Event(), asyncio.Event()
        self._replays = asyncio.Semaphore(_REPLAYS_AT_ONCE)
        self._away = self._stopped = False
        self._next_ping = self._next_look = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve listeners to the end of the block."""
        tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._watch_tokens())]
        try:
            yield
        finally:
            self.stop()
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            await self._reader.close()

    def stop(self) -> None:
        """End all streams, and every new one at once."""
        self._stopped = True
        for listener in self._listeners():
            listener.end()

    @property
    def stopped(self) -> bool:
        """Whether streams have to end."""
        return self._stopped

    def check_room(self, account_id: str) -> None:
        """Refuse one more stream of an account, of events or of a log, than there is room for.

        Raises:
            TooMany: when the account has enough of them.
            Unavailable: when nobody gets one.
        """
        if self._stopped:
            raise Unavailable("the control plane is stopping")
        self.room.check(account_id)

    async def listen(self, view: View, authorization: str, last_id: str) -> AsyncGenerator[bytes]:
        """Yield what happens from now on, and before that what happened since `last_id`."""
        listener, place = Listener(view, authorization), Place.parse(last_id)
        self._open += 1
        self._wanted.set()
        try:
            yield view.remark("retry: 1000")
            await self._settle(place)
            if self._stopped:
                return
            self._views.setdefault(view.owner_id, {}).setdefault(view, set()).add(listener)
            until = self._position
            await self._prime(view.owner_id)
            async for chunk in self._missed(view, place, until, again=bool(last_id)):
                yield chunk
            while chunk := await listener.next():
                yield chunk
        except DBAPIError as error:
            log.warning("stream_ended", error=str(error))
            yield view.refusal(14, "the database can't be used now; try again")
        finally:
            self._open -= 1
            self._remove(listener)

    # The stream

    async def _run(self) -> NoReturn:
        while True:
            await self._wanted.wait()
            try:
                if self._position is None:
                    await self._begin()
                await self._turn()
            except Unavailable as error:
                await self._go_without(error)
            except Exception:
                # Whatever it is, those who listen must hear of what comes after it.
                log.exception("events_not_told")
                await asyncio.sleep(_RETRY_S)
            if not self._open:
                self._wanted.clear()
                self._settled.clear()
                self._position = None

    async def _begin(self) -> None:
        self._position = await self._reader.end()
        self._settled.set()
        now = asyncio.get_running_loop().time()
        self._next_ping, self._next_look = now + _PING_S, now + _LOOK_S
        if self._away:
            log.info("events_heard_again")
            self._away = False
            await self._look(lost=True)

    async def _turn(self) -> None:
        assert self._position is not None
        entries = await self._reader.after(self._position, limit=_BATCH, wait_s=_WAIT_S)
        now = asyncio.get_running_loop().time()
        if entries:
            await self._deliver(entries)
        lost = any(it.change is None for it in entries)
        if lost or now >= self._next_look:
            await self._look(lost=lost)
        if now >= self._next_ping:
            self._tell_all(ping(self._position))
            self._next_ping = now + _PING_S
        if entries:
            await asyncio.sleep(_PACE_S)

    async def _go_without(self, error: Unavailable) -> None:
        if not self._away:
            log.warning("events_not_heard", error=error.message)
        self._away, self._position = True, None
        self._settled.set()
        try:
            await self._look()
        except DBAPIError as database_error:
            log.warning("events_not_looked_up", error=str(database_error))
        await asyncio.sleep(_RETRY_S)

    async def _deliver(self, entries: Sequence[Entry]) -> None:
        owners: dict[str, str] = {}
        jobs: dict[str, JobRow] = {}
        asked: set[str] = set()
        while fresh := self._views.keys() - asked:  # somebody may come while the database is asked
            asked |= fresh
            found = await asyncio.to_thread(self._lookup.of_entries, entries, fresh)
            owners, jobs = owners | found[0], jobs | found[1]
        self._position = entries[-1].position
        for owner_id, items in items_of(entries, owners, jobs).items():
            self._tell(owner_id, items)
        self._remember(jobs.values())

    # What the stream did not tell

    async def _look(self, *, lost: bool = False) -> None:
        """Tell what changed in live jobs since they were last seen; with `lost`, also that tasks' changes were lost."""
        self._next_look = asyncio.get_running_loop().time() + _LOOK_S
        owners = list(self._live)
        known = {job_id: row for jobs in self._live.values() for job_id, row in jobs.items()}
        rows = await asyncio.to_thread(self._lookup.moved, owners, known) if owners else []
        changed = [row for row in rows if known.get(row.id) != row]
        by_owner: dict[str, list[Item]] = defaultdict(list)
        for row in changed:
            by_owner[row.owner_id].append(job_item(row))
        for owner_id, items in by_owner.items():
            self._tell(owner_id, items)
        self._remember(changed)
        if lost:
            self._tell_all(ping(self._position, resync=True))

    def _remember(self, rows: Collection[JobRow]) -> None:
        for row in rows:
            live = self._live.get(row.owner_id)
            if live is None:
                continue
            if row.state in JOB_LIVE:
                live[row.id] = row
            else:
                live.pop(row.id, None)

    async def _prime(self, owner_id: str) -> None:
        if owner_id in self._live:
            return
        self._live[owner_id] = {}
        for row in await asyncio.to_thread(self._lookup.moved, [owner_id], {}):
            self._live.get(owner_id, {}).setdefault(row.id, row)

    # Those who come

    async def _settle(self, place: Place | None) -> None:
        """Wait until the hub knows where the stream is, and has come to where this client has been elsewhere."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_S):
                await self._settled.wait()
        for _ in range(_CATCH_UP_TURNS):
            if not (place and self._position and self._position < place.position):
                return
            await asyncio.sleep(_PACE_S)

    async def _missed(
        self, view: View, place: Place | None, until: Position | None, *, again: bool
    ) -> AsyncIterator[bytes]:
        """Yield what a client missed up to where the hub was when it came: all later is told to its listener."""
        whole = not again
        if place and until:
            try:
                async for chunk in self._replay(view, place, until):
                    yield chunk
                whole = True
            except Unavailable as error:
                log.info("events_not_replayed", reason=error.message)
        if not whole:
            async with self._replays:
                rows = await asyncio.to_thread(self._lookup.recent, view.owner_id)
            yield view.chunk([job_item(row) for row in rows])
        yield view.chunk([ping(until, resync=not whole)])

    async def _replay(self, view: View, place: Place, until: Position) -> AsyncIterator[bytes]:
        """Yield the events of each page of entries from a place on.

        Raises:
            Unavailable: when some are gone.
        """
        first, skip = place.position, place.tasks
        while True:
            async with self._replays:
                entries = await self._reader.between(first, until, limit=_BATCH)
                if (
                    not entries
                    or entries[0].position != first
                    or any(it.change is None for it in entries[1:])
                ):
                    raise Unavailable(f"entries behind {first} are gone")
                page = entries if skip is not None else entries[1:]
                owners, jobs = await asyncio.to_thread(self._lookup.of_entries, page, {view.owner_id})
            yield view.chunk(items_of(page, owners, jobs, skip or 0).get(view.owner_id, []))
            if len(entries) < _BATCH:
                return
            first, skip = entries[-1].position, None

    def _remove(self, listener: Listener) -> None:
        view = listener.view
        views = self._views.get(view.owner_id, {})
        if listener not in views.get(view, ()):
            return
        views[view].remove(listener)
        if not views[view]:
            del views[view]
        if not views:
            del self._views[view.owner_id]
            self._live.pop(view.owner_id, None)

    # Those who are there

    def _listeners(self) -> list[Listener]:
        return [it for views in self._views.values() for found in views.values() for it in found]

    def _tell(self, owner_id: str, items: Sequence[Item]) -> None:
        for view, listeners in self._views.get(owner_id, {}).items():
            if chunk := view.chunk(items):
                for listener in listeners:
                    listener.offer(chunk)

    def _tell_all(self, item: Item) -> None:
        for owner_id in self._views:
            self._tell(owner_id, [item])

    async def _watch_tokens(self) -> NoReturn:
        while True:
            await asyncio.sleep(_TOKENS_S)
            asked = {it.authorization for it in self._listeners()}
            if doubtful := [it for it in asked if self._gate.remembered(it) is None]:
                refused = await asyncio.to_thread(self._refused, doubtful)
                for listener in self._listeners():
                    if listener.authorization in refused:
                        listener.end(listener.view.refusal(16, "a valid access token is needed"))

    def _refused(self, tokens: Collection[str]) -> set[str]:
        refused: set[str] = set()
        for token in tokens:
            try:
                self._gate.caller(token)
            except DBAPIError as error:
                log.warning("tokens_not_checked", error=str(error))
                break
            except GridloomError:
                refused.add(token)
        return refused
