"""/v1/admin/coupons and /grants: operators give out ByteChips."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Admin"])
