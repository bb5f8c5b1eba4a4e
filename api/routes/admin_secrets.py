"""/v1/admin/rotate_key: secrets are sealed again under the newest master key."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Admin"])
