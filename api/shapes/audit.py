"""Shapes of the audit log."""

from datetime import datetime
from typing import Any

from api.shapes.base import Int64Text, PaginatedResponse, Shape


class AuditEntry(Shape):
    """One call that changed something, or tried to; `resource` holds the parameters of its route."""

    id: Int64Text
    at: datetime
    account_id: str | None
    user_name: str
    credential_id: str | None
    address: str
    request_id: str
    method: str
    route: str
    resource: dict[str, Any]
    status: int


class AuditListResponse(Shape):
    """One page of the audit log."""

    data: list[AuditEntry]
    pagination: PaginatedResponse
