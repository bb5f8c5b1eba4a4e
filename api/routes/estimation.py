"""/jobs/estimation and the older address of the balance."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Jobs"])
