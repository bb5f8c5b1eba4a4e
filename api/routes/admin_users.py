"""/v1/admin/users: operators add, list and disable accounts."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Admin"])
