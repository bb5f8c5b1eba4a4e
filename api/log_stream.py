"""Follows a job's log as Server-Sent Events: looks into the index now and then, and holds no thread while it waits."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import DBAPIError

from api.log_lines import Members, as_json, event
from api.log_reader import LogReader, Places
from api.log_scan import LineFilter
from gridloom.errors import GridloomError
from gridloom.states import JOB_FINAL, JobState

log = structlog.get_logger()

_LINES_AT_ONCE = 1000
_READ_S = 0.5
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.25, 1.0
_PING_S = 15.0
_LATE_S = 2.0  #: workers send the last words of tasks that were stopped when the job has ended already


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What one look has found; `state` is that of the job when nothing more will come."""

    chunk: str
    place: int
    more: bool
    state: str = ""


@dataclass(slots=True, kw_only=True)
class LogFollower:
    """One client's view of one job's log; `job_state` gives the job's state, and raises when the client may not ask;
    whoever looks into the log waits for its `turn`."""

    reader: LogReader
    job_id: str
    wanted: LineFilter
    job_state: Callable[[], str]
    stopped: Callable[[], bool]
    turn: Callable[[], AbstractAsyncContextManager[None]]
    _final_since: float = field(default=0.0, init=False)

    async def events(self, place: int) -> AsyncGenerator[str]:
        """Yield all wanted lines from `place` on as events whose ids are places, and at last the job's state."""
        pause_s, said_at = _FIRST_PAUSE_S, time.monotonic()
        yield "retry: 1000\n\n"
        while not self.stopped():
            try:
                async with self.turn():
                    step = await run_in_threadpool(self._step, place)
            except (GridloomError, DBAPIError) as error:
                message = (
                    error.message if isinstance(error, GridloomError) else "the database can't be used now"
                )
                log.info("log_stream_ended", job=self.job_id, error=message)
                yield _event("error", place, {"message": message})
                return
            place = step.place
            now = time.monotonic()
            if step.chunk or now - said_at >= _PING_S:
                # An id alone tells the client nothing but where it is.
                yield step.chunk or f"id: {place}\n\n"
                said_at = now
            if step.state:
                yield _event("end", place, {"state": step.state})
                return
            pause_s = _FIRST_PAUSE_S if step.chunk else min(pause_s * 2, _LAST_PAUSE_S)
            if not step.more:
                await asyncio.sleep(pause_s)

    def _step(self, place: int) -> _Step:
        # The state comes first: what a job printed before it ended is in the index when it has ended.
        state = self.job_state()
        total = self.reader.total(self.job_id)
        if total > place:
            places = Places(place, total)
            page = self.reader.page(self.job_id, self.wanted, places, limit=_LINES_AT_ONCE, within_s=_READ_S)
            lines = (_event("log", it.place + 1, event(self.job_id, it)) for it in page.lines)
            return _Step(chunk="".join(lines), place=page.place, more=page.place < total)
        return _Step(chunk="", place=place, more=False, state=state if self._is_over(state) else "")

    def _is_over(self, state: str) -> bool:
        if state not in JOB_FINAL:
            return False
        now = time.monotonic()
        self._final_since = self._final_since or now
        return state == JobState.COMPLETE or now - self._final_since >= _LATE_S


def _event(name: str, place: int, members: Members) -> str:
    # JSON on one line: no text of a log can end the event that it is in.
    return f"id: {place}\nevent: {name}\ndata: {as_json(members)}\n\n"
