"""/stats and /metrics: how many jobs and tasks, in which states, and what they cost."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Stats"])
