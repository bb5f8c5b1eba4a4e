import pytest

from storage.repositories import job_lists
from tests.unit.api.routes.test_jobs import error_of

PATH = "/v1/customer/jobs/filter"
VALUE = "type.googleapis.com/google.protobuf.Value"


def names(answer):
    assert answer.status_code == 200, answer.text
    return [job["name"] for job in answer.json()["data"]]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], "cba"),
        (
            [{"field": "name", "condition": "FILTER_CONDITION_EQ", "value": {"@type": VALUE, "value": "a"}}],
            "a",
        ),
        ([{"field": "name", "value": "b"}], "b"),
        ([{"field": "name", "condition": "FILTER_CONDITION_UNDEFINED", "value": {"value": "b"}}], "b"),
        ([{"field": "name", "condition": "NOT_IN", "value": [{"@type": VALUE, "value": "a"}, "b"]}], "c"),
        (
            [{"field": "createdAt", "condition": "FILTER_CONDITION_GT", "value": "2020-01-01T00:00:00Z"}],
            "cba",
        ),
        (
            [
                {"field": "state", "value": "JOB_STATE_NEW"},
                {"field": "name", "condition": "LIKE", "value": "A"},
            ],
            "a",
        ),
        ([{"field": "params.app.size", "condition": "FILTER_CONDITION_GTE", "value": 2}], "cb"),
        ([{"field": "config.taskTimeout", "value": "60"}], "c"),
        ([{"field": "data_source.dataSourceDescriptor", "value": "bypass"}], "cba"),
        ([{"field": "submittedAt", "condition": "FILTER_CONDITION_NEQ", "value": None}], ""),
        ([{"field": "startAt", "condition": "FILTER_CONDITION_LT", "value": "2100-01-01T00:00:00Z"}], "b"),
    ],
)
def test_filters_are_read_as_clients_write_them(draft, hello, bob, filters, found):
    draft(name="a", params={"app": {"size": 1}})
    draft(name="b", params={"app": {"size": 2}}, startAt="2099-01-01T00:00:00Z")
    draft(name="c", params={"app": {"size": 3}}, config={"taskTimeout": 60})
    assert "".join(names(hello.post(PATH, json={"filters": filters}))) == found
    assert names(bob.post(PATH, json={"filters": filters})) == []


def test_a_filtered_list_comes_in_pages_and_orders(draft, hello):
    for name in ("b", "d", "a", "c"):
        draft(name=name)
    body = {
        "filters": [{"field": "name", "condition": "FILTER_CONDITION_NEQ", "value": "d"}],
        "pagination": {"limit": "2", "offset": 1},
        "orderBy": "name asc",
    }
    answer = hello.post(PATH, json=body)
    assert names(answer) == ["b", "c"]
    assert answer.json()["pagination"] == {"total": 3, "offset": 1, "hasPrevious": True, "hasNext": False}
    assert names(hello.post(PATH, json={"order_by": "name"})) == ["a", "b", "c", "d"]
    assert len(names(hello.post(PATH, json={}))) == 4


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"filters": [{"field": "name", "value": "x"}, {"field": "colour", "value": 1}]}, "filters[1].field"),
        ({"filters": [{"field": "name", "value": 7}]}, "filters[0].value"),
        ({"filters": [{"field": "name"}, {"field": "state", "value": "DONE"}]}, "filters[1].value"),
        ({"filters": [{"field": "dataSource.params.secretKey", "value": "x"}]}, "filters[0].field"),
        ({"filters": [{"field": "name", "condition": "ALMOST", "value": "x"}]}, "filters.0.condition"),
        ({"filters": [{"value": "x"}]}, "filters.0.field"),
        ({"filters": "name"}, "filters"),
        ({"orderBy": "colour"}, "orderBy"),
        ({"pagination": {"limit": -1}}, "pagination.limit"),
        ({"pagination": {"offset": 2**40}}, "pagination"),
    ],
)
def test_what_cannot_be_filtered_is_refused_with_its_place(hello, body, field):
    answer = hello.post(PATH, json=body)
    error_of(answer)
    assert answer.json()["details"][0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize("order", job_lists.ORDERS)
@pytest.mark.parametrize("suffix", ["", " asc", " DESC"])
def test_every_order_is_taken_in_both_spellings(draft, hello, order, suffix):
    draft()
    first, *rest = order.split("_")
    camel = first + "".join(it.capitalize() for it in rest)
    for name in (order, camel):
        assert len(names(hello.get("/v1/customer/jobs", params={"orderBy": name + suffix}))) == 1


@pytest.mark.parametrize("path", ["presets", "schemas"])
def test_outdated_lists_are_empty(hello, path):
    assert hello.get(f"/v1/customer/jobs/{path}").json() == {"data": []}
