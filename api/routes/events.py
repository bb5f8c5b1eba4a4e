"""/events: what happens to the caller's jobs and tasks, as Server-Sent Events."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Events"])
