"""/v1/admin/audit: operators read who changed what."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Admin"])
