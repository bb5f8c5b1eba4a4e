"""/oauth2: authorization codes with PKCE and device codes for command lines."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Sign-in"])
