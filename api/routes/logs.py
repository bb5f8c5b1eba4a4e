"""Logs: what partitioner, tasks and assembler printed, by page, as it comes, and as a file."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.context import Context
from api.deps import CallerDep, ContextDep, StreamCallerDep, StreamHeaderDep, TurnDep, TurnsDep
from api.event_hub import EventHub
from api.json_route import JsonRoute
from api.log_download import MEDIA_TYPES, SUFFIXES, LogFormat, blocks
from api.log_filters import line_filter, places
from api.log_lines import as_json, by_stage
from api.log_reader import LogReader
from api.log_stream import LogFollower
from api.shapes.logs import LogFilter, LogsRequest, LogsResponse, Order
from api.shares import Turns
from api.tokens import TokenGate
from gridloom.errors import BadInput
from storage.repositories import jobs

router = APIRouter(route_class=JsonRoute, tags=["Logs"])

_SEARCH_S = 0.2  #: a search that takes longer goes on in the next call
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

FilterDep = Annotated[LogFilter, Query()]


@router.post("/logs", response_model=LogsResponse)
def read_logs(body: LogsRequest, context: ContextDep, caller: CallerDep, _: TurnDep) -> Response:
    """Read a job's log lines, as they came or the newest first."""
    job_id = _owned(context, caller.account_id, body.job_id)
    reader = _reader(context)
    total = reader.total(job_id)
    wanted = line_filter(job_id, body)
    page = reader.page(job_id, wanted, places(body, total), limit=body.limit, within_s=_SEARCH_S)
    # Zero is where a reader of the newest lines has come to the end, and one of the oldest to begin.
    next_id = str(page.place) if page.place or wanted.newest_first else ""
    rest = {"nextId": next_id, "complete": page.complete, "totalLines": total}
    return Response(as_json(by_stage(job_id, page.lines) | rest), media_type="application/json")


@router.get(
    "/jobs/{job_id}/logs/stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": (
                "Events `log` whose data is a line: its text `log`, timestamp, level, container, stream, stage, taskId, "
                "chunk and attempt; and `end` when the job has ended and all was sent"
            ),
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def follow_logs(
    job_id: str,
    asked: FilterDep,
    request: Request,
    context: ContextDep,
    caller: StreamCallerDep,
    header: StreamHeaderDep,
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """Send a job's log lines as they come, from the beginning or from behind the event with that id."""
    if asked.order is Order.DESC:
        raise BadInput("a stream has the oldest lines first", field="order")
    from_id = asked.model_copy(update={"after_id": last_event_id or asked.after_id})

    gate: TokenGate = request.app.state.gate

    def job_state() -> str:
        gate.caller(header)
        with context.database.read() as connection:
            return str(jobs.get(connection, caller.account_id, job_id).state)

    await run_in_threadpool(job_state)
    hub: EventHub = request.app.state.events
    turns: Turns = request.app.state.turns
    hub.check_room(caller.account_id)
    follower = LogFollower(
        reader=_reader(context),
        job_id=job_id,
        wanted=line_filter(job_id, asked),
        job_state=job_state,
        stopped=lambda: hub.stopped,
        turn=partial(turns.taken, caller.account_id),
    )
    events = hub.room.counted(caller.account_id, follower.events(places(from_id, 0).start))
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


@router.get(
    "/jobs/{job_id}/logs/download",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def download_logs(
    job_id: str,
    asked: FilterDep,
    context: ContextDep,
    caller: StreamCallerDep,
    turns: TurnsDep,
    form: Annotated[LogFormat, Query(alias="format")] = LogFormat.TEXT,
) -> StreamingResponse:
    """Send all of a job's log lines that there are by now in one file."""
    job_id = _owned(context, caller.account_id, job_id)
    reader = _reader(context)
    span = places(asked, reader.total(job_id))
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.{SUFFIXES[form]}"'} | _HEADERS
    body = blocks(reader, job_id, line_filter(job_id, asked), span, form)
    return StreamingResponse(
        turns.each(caller.account_id, body), media_type=MEDIA_TYPES[form], headers=headers
    )


def _owned(context: Context, owner_id: str, job_id: str) -> str:
    with context.database.read() as connection:
        return str(jobs.get(connection, owner_id, job_id).id)


def _reader(context: Context) -> LogReader:
    return LogReader(database=context.database, store=context.store)
