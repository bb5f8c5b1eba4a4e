"""/contact: a message to the operator."""

import structlog
from fastapi import APIRouter
from sqlalchemy import Connection

from api.deps import CallerDep, ContextDep, RequestIdDep
from api.json_route import JsonRoute
from api.registration import read_email
from api.shapes.base import GenericResponse
from api.shapes.contact import ContactRequest
from gridloom.errors import TooMany
from gridloom.ids import new_uuid
from storage.repositories import contact

router = APIRouter(route_class=JsonRoute, tags=["Contact"])

log = structlog.get_logger()

_MOST_A_DAY = 20
_RETRY_AFTER_S = 3600


@router.post("/contact")
def send_message(
    body: ContactRequest, context: ContextDep, caller: CallerDep, request_id: RequestIdDep
) -> GenericResponse:
    """Keep a message for the operator, who finds it in the table `contact_messages`."""
    columns = {"email": read_email(body.email), "summary": body.summary, "description": body.description}
    message_id = new_uuid()

    def keep(connection: Connection) -> None:
        if contact.count_today(connection, caller.account_id) >= _MOST_A_DAY:
            raise TooMany(f"at most {_MOST_A_DAY} messages a day", retry_after_s=_RETRY_AFTER_S)
        contact.add(connection, id=message_id, account_id=caller.account_id, **columns)

    context.writer.run(keep)
    log.info("contact_message_kept", message=message_id, account=caller.account_id)
    return GenericResponse(request_id=request_id, message="received")
