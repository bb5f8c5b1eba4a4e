"""/cache: browse, upload and delete what tasks find in their cache folders."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Cache"])
