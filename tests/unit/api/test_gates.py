"""Every public route asks who calls, but those that a caller needs to become somebody."""

import re

import pytest

from api.app import public_apis

OPEN = {
    "POST /v1/auth/access_token",
    "POST /v1/auth/otp",
    "POST /v1/auth/signup",
    "POST /v1/auth/signin",
}
OPEN_BELOW = ("/v1/auth/oauth2/", "/v1/auth/oidc/")
NO_ID = "00000000-0000-4000-8000-000000000000"

ROUTES = sorted(
    {
        f"{method} {prefix}{route.path}"
        for prefix, api in public_apis().items()
        for router in api.routers
        for route in router.routes
        for method in route.methods
    }
)


def address(route: str) -> tuple[str, str]:
    """Return the method and a path with an id for each parameter."""
    method, path = route.split(" ")
    return method, re.sub(r"\{[^}]+\}", NO_ID, path)


def is_open(route: str) -> bool:
    return route in OPEN or route.split(" ")[1].startswith(OPEN_BELOW)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "glk_" + "a" * 43}]
)
def test_a_call_without_a_good_token_is_refused_before_anything_else(anonymous, headers):
    answers = {
        route: anonymous.request(*address(route), json={}, headers=headers)
        for route in ROUTES
        if not is_open(route)
    }
    wrong = {route: it.status_code for route, it in answers.items() if it.status_code != 401}
    assert wrong == {}
    assert {it.json()["error"]["message"] for it in answers.values()} == {"Unauthorized"}


def test_operators_routes_are_closed_to_everybody_else(ada):
    routes = [route for route in ROUTES if " /v1/admin/" in route]
    assert routes
    assert {ada.request(*address(route), json={}).status_code for route in routes} == {403}


def test_the_open_routes_exist():
    assert set(ROUTES) >= OPEN
