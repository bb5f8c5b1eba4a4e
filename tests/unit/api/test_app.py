from fastapi.routing import APIRoute

from api.app import public_apis
from api.json_route import JsonRoute

OPEN = {("POST", "/access_token")}


def routes():
    for prefix, api in public_apis().items():
        for router in api.routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    yield prefix, route


def test_every_public_route_reads_its_body_strictly():
    assert [route.path for _, route in routes() if not isinstance(route, JsonRoute)] == []


def test_no_route_but_the_token_exchange_answers_without_a_token(anonymous):
    checked = 0
    for prefix, route in routes():
        for method in route.methods - {"HEAD"}:
            if (method, route.path) in OPEN:
                continue
            path = prefix + route.path_format.replace("{", "").replace("}", "")
            for headers in ({}, {"Authorization": "Bearer x.y.z"}):
                answer = anonymous.request(method, path, headers=headers, json={"data": "x", "apiKey": "x"})
                assert answer.status_code == 401, (method, path, answer.text)
                checked += 1
    assert checked > 20
