"""/api_keys: issue, list, revoke."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["API Keys"])
