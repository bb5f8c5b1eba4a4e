"""/secrets: save, list, delete; the secret key goes in and never comes out."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Secrets"])
