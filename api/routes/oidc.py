"""/oidc: sign-in through the OpenID Connect provider that the operator chose."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Sign-in"])
