"""/datasource/test: look at a data source before a job uses it."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Data sources"])
