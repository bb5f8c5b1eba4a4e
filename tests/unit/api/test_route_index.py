import pytest
from fastapi import APIRouter
from starlette.routing import Match

from api.route_index import RouteIndex

router = APIRouter()


# A decorator that stands below another one adds its route first.
@router.delete("/jobs/{job_id}")
@router.get("/jobs/{job_id}")
@router.get("/jobs/last")
@router.get("/apps/{tag:path}")
@router.get("/apps/{tag:path}/status")
def answer() -> None:
    """Answer nothing."""


INDEX = RouteIndex((prefix, it) for prefix in ("/v1/a", "/v1/b") for it in router.routes)


def find(path, method="GET"):
    """Return the match, the path of the route and its parameters."""
    match, scope = INDEX.matches({"type": "http", "path": path, "method": method})
    return match, scope["route"].path if scope else "", scope.get("path_params", {})


@pytest.mark.parametrize(
    ("path", "route", "params"),
    [
        ("/v1/a/jobs/7", "/jobs/{job_id}", {"job_id": "7"}),
        ("/v1/b/jobs/7", "/jobs/{job_id}", {"job_id": "7"}),
        ("/v1/a/jobs/last", "/jobs/last", {}),
        ("/v1/a/apps/x", "/apps/{tag:path}", {"tag": "x"}),
        ("/v1/a/apps/x/y/status", "/apps/{tag:path}/status", {"tag": "x/y"}),
        (f"/v1/a/apps/{'x/' * 40}y", "/apps/{tag:path}", {"tag": f"{'x/' * 40}y"}),
    ],
)
def test_of_the_routes_that_match_the_first_is_found(path, route, params):
    assert find(path) == (Match.FULL, route, params)


@pytest.mark.parametrize(
    "path",
    ["/", "", "/v1/a", "/v1/c/jobs/7", "/v1/a/jobs", "/v1/a/jobs/7/", "/v1/a/jobs/7/8", "//v1/a/jobs/7"],
)
def test_other_paths_are_not_found(path):
    assert find(path) == (Match.NONE, "", {})


def test_another_method_is_told_apart_from_another_path():
    assert find("/v1/a/jobs/7", "DELETE")[0] is Match.FULL
    assert find("/v1/a/jobs/7", "PUT")[:2] == (Match.PARTIAL, "/jobs/{job_id}")


def test_the_routes_that_were_given_stay_as_they_are():
    assert all(not it.path_regex.match("/v1/a" + it.path) for it in router.routes)
