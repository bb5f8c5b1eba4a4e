"""/v1/admin/audit: operators read who changed what."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import AdminDep, ContextDep, PageDep
from api.json_route import JsonRoute
from api.shapes.audit import AuditEntry, AuditListResponse
from api.shapes.base import PaginatedResponse
from storage.repositories import audit

router = APIRouter(route_class=JsonRoute, tags=["Admin"])


@router.get("/audit")
def list_audit(
    context: ContextDep,
    _: AdminDep,
    page: PageDep,
    account_id: Annotated[str, Query(alias="accountId")] = "",
    route: str = "",
) -> AuditListResponse:
    """List calls that changed something, the newest first."""
    with context.database.read() as connection:
        rows, total = audit.listed(connection, page, account_id=account_id, route=route)
    return AuditListResponse(
        data=[AuditEntry(**{**row, "user_name": row["user_name"] or ""}) for row in rows],
        pagination=PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows)),
    )
