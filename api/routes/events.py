"""/events: what happens to the caller's jobs and tasks, as Server-Sent Events."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.context import Context
from api.deps import AuthorizationDep, ContextDep, GateDep, caller_of
from api.event_hub import EventHub
from api.event_items import Form, View
from api.json_route import JsonRoute
from api.protobuf import accepted
from api.shapes.events import EventStreamItem
from gridloom.errors import NotFound
from gridloom.ids import is_uuid
from storage.repositories import jobs

router = APIRouter(route_class=JsonRoute, tags=["Events"])

_MOST_JOBS = 100
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _header(
    authorization: AuthorizationDep,
    access_token: Annotated[str, Query(description="For clients that can't set headers")] = "",
) -> str:
    return authorization or access_token


async def _view(
    request: Request,
    context: ContextDep,
    gate: GateDep,
    header: Annotated[str, Depends(_header)],
    job_ids: Annotated[list[str] | None, Query(alias="jobId", max_length=_MOST_JOBS)] = None,
    *,
    tasks: bool = True,
) -> View:
    caller = await caller_of(request, gate, header)
    asked = frozenset(job_ids or ())
    if asked:
        await run_in_threadpool(_check_owned, context, caller.account_id, asked)
    return View(owner_id=caller.account_id, job_ids=asked, tasks=tasks, form=_form(request))


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": (
                "A stream without end: events whose data is an item; for those who ask for JSON items, one a line; "
                "for those who ask for protobuf messages, each behind its length as a varint"
            ),
            "content": {Form.EVENTS.value: {"schema": {"type": "string"}}},
            "model": EventStreamItem,
        }
    },
)
async def listen(
    request: Request,
    view: Annotated[View, Depends(_view)],
    header: Annotated[str, Depends(_header)],
    last_event_id: Annotated[str, Header()] = "",
    last_id: Annotated[str, Query(alias="lastEventId", description="Like the header Last-Event-ID")] = "",
) -> StreamingResponse:
    """Tell of the caller's jobs and tasks as they change, from now on or from the event with that id on.

    `jobId` limits it to some jobs, `tasks=false` leaves tasks out.
    """
    hub: EventHub = request.app.state.events
    hub.check_room(view.owner_id)
    return StreamingResponse(
        hub.room.counted(view.owner_id, hub.listen(view, header, last_event_id or last_id)),
        media_type=view.form.value,
        headers=_HEADERS,
    )


def _form(request: Request) -> Form:
    """Return the form that the Accept header names: the first but for events, which whoever can read them gets."""
    names = [name for name in accepted(request.headers.get("accept", "")) if name in set(Form)]
    return Form.EVENTS if not names or Form.EVENTS in names else Form(names[0])


def _check_owned(context: Context, owner_id: str, job_ids: frozenset[str]) -> None:
    with context.database.read() as connection:
        mine = jobs.owned(connection, owner_id, [it for it in job_ids if is_uuid(it)])
    for job_id in sorted(job_ids.difference(mine)):
        raise NotFound(f"there is no job {job_id[:64]!a}")
