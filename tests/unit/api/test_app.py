from fastapi.routing import APIRoute

from api.app import public_apis
from api.json_route import JsonRoute

OPEN = {"/access_token", "/otp", "/signup", "/signin"}
PAGES = ("/oauth2/", "/oidc/")  # forms and redirects, for browsers


def routes():
    for prefix, api in public_apis().items():
        for router in api.routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    yield prefix, route


def test_every_public_route_reads_its_body_strictly():
    assert [
        route.path
        for _, route in routes()
        if not isinstance(route, JsonRoute) and not route.path.startswith(PAGES)
    ] == []


def test_no_route_but_those_that_lead_to_a_token_answers_without_one(anonymous):
    checked = 0
    for prefix, route in routes():
        for method in route.methods - {"HEAD"}:
            if route.path in OPEN or route.path.startswith(PAGES):
                continue
            path = prefix + route.path_format.replace("{", "").replace("}", "")
            for headers in ({}, {"Authorization": "Bearer x.y.z"}):
                answer = anonymous.request(method, path, headers=headers, json={"data": "x", "apiKey": "x"})
                assert answer.status_code == 401, (method, path, answer.text)
                checked += 1
    assert checked > 20
