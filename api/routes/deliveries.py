"""/jobs/{id}/redeliver: what a job made is sent to its destination again, or to another one."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection

from api.context import Context
from api.deps import CallerDep, ContextDep, RequestIdDep
from api.end_places import check_secret
from api.job_ends import Columns, check_ends, keep_credentials, stored_source, without_credentials
from api.json_route import JsonRoute
from api.routes.jobs import check_live
from api.shapes.base import GenericResponse
from api.shapes.sources import RedeliverRequest
from scheduler import delivery
from storage.repositories import jobs

router = APIRouter(route_class=JsonRoute, tags=["Jobs"])


@router.post("/jobs/{job_id}/redeliver")
def redeliver_job(
    job_id: str,
    context: ContextDep,
    caller: CallerDep,
    request_id: RequestIdDep,
    body: RedeliverRequest | None = None,
) -> GenericResponse:
    """Deliver the output of an ended job again, as long as the fabric keeps it; nothing is computed anew.

    A `dataDestination` takes the place of the job's own.
    """
    given = stored_source(body.data_destination) if body else None
    check_ends(None, given, context.settings.allow_private_hosts)
    found = context.writer.run(
        lambda connection: _redeliver(connection, context, caller.account_id, job_id, given)
    )
    context.wakeup.notify(found)
    return GenericResponse(request_id=request_id, message="delivering")


def _redeliver(
    connection: Connection, context: Context, owner_id: str, job_id: str, given: Columns | None
) -> str:
    row: Any = jobs.get(connection, owner_id, job_id)
    made, secrets = without_credentials({"data_source": None, "data_destination": given})
    destination, found = made["data_destination"], secrets["data_destination"]
    check_secret(connection, owner_id, "data_destination", destination or row.data_destination)
    check_live(connection, context, owner_id)
    delivery.redeliver(connection, row.id, destination, context.settings)
    if destination and (found or destination != row.data_destination):
        keep_credentials(
            connection, context.vault, jobs.holder_of(owner_id, row.id), {"data_destination": found}
        )
    return str(row.id)
