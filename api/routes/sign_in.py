"""/signup, /signin and /otp: accounts are made, and users come in without an API key."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Sign-in"])
