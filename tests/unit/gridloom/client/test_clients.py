"""Tests of what both clients have in common, and of what loading them costs."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from gridloom.client import AsyncClient, Client, Filter
from gridloom.client.operation import Feed, Operation
from gridloom.client.operations import Operations

ROOT = Path(__file__).parents[4]
METHODS = sorted(name for name, it in vars(Operations).items() if isinstance(it, Operation | Feed))


@pytest.mark.parametrize("name", METHODS)
def test_both_clients_have_every_method_with_one_signature_and_a_sentence(name):
    here, there = Client("http://x", "k"), AsyncClient("http://x", "k")
    assert inspect.signature(getattr(here, name)) == inspect.signature(getattr(there, name))
    assert getattr(Client, name).__doc__.splitlines()[0].endswith(".")


def test_both_clients_are_made_alike():
    here, there = inspect.signature(Client), inspect.signature(AsyncClient)
    assert list(here.parameters) == list(there.parameters)


def test_every_method_is_in_the_documentation():
    text = (ROOT / "docs/python-client.md").read_text()
    assert [name for name in METHODS if f"`{name}`" not in text and f"`{name}(" not in text] == []


def test_loading_the_client_loads_nothing_heavy():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, gridloom.client; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {"pydantic", "rich", "click", "asyncio", "stamina", "sqlalchemy", "structlog"}.isdisjoint(loaded)


SIMPLE = [
    ("activate", ("app", "a@1"), "POST", "/v1/dev/apps/a@1/activate", {}),
    ("publish", ("template", "t"), "POST", "/v1/dev/templates/t/publish", {}),
    ("delete_component", ("engine", "u/e@1"), "DELETE", "/v1/dev/engines/u/e@1", None),
    ("delete_secret", ("s?", "aws"), "DELETE", "/v1/auth/secrets/aws/s?", None),
    ("run_job", ("j", {"taskTimeout": 3}), "POST", "/v1/customer/jobs/j/run", {"config": {"taskTimeout": 3}}),
    ("duplicate_job", ("j",), "POST", "/v1/customer/jobs/j/duplicate", {}),
    ("running_tasks", (["j"],), "POST", "/v1/customer/jobs/runningTasks", {"jobsIds": ["j"]}),
    ("redeem", ("C",), "POST", "/v1/wallet/redeem_coupon", {"couponCode": "C"}),
    ("rotate_key", (), "POST", "/v1/admin/rotate_key", {}),
    ("revoke_api_key", ("k",), "POST", "/v1/auth/api_keys/k/revoke", None),
]


@pytest.mark.parametrize(("name", "arguments", "method", "path", "body"), SIMPLE)
def test_a_method_makes_its_call(script, connect, name, arguments, method, path, body):
    script.answers = [{}]
    connect().do(name, *arguments)
    assert script.calls == [(method, path, body)]


def test_a_list_is_a_page_that_knows_the_next(script, connect):
    rows = [{"id": "a"}, {"id": "b"}]
    script.answers = [{"data": rows, "pagination": {"total": 5, "offset": 1, "hasNext": True}}]
    page = connect().do("jobs", limit=2, offset=1, order_by="name")
    assert ([it.id for it in page], len(page), page.total, page.next_offset) == (["a", "b"], 2, 5, 3)
    assert str(script.seen[1].url.query, "ascii") == "pagination.limit=2&pagination.offset=1&orderBy=name"


def test_filters_go_into_the_body(script, connect):
    script.answers = [{"data": []}]
    connect().do("filter_jobs", Filter(field="numChunks", condition="GT", value=3), limit=7)
    body = script.calls[0][2]
    assert body["filters"] == [{"field": "numChunks", "condition": "FILTER_CONDITION_GT", "value": 3}]
    assert body["pagination"] == {"limit": 7, "offset": 0}


def test_a_device_sign_in_asks_until_the_user_has_confirmed(script, connect, no_waiting):
    code = {
        "device_code": "d",
        "user_code": "AB",
        "verification_uri": "http://v",
        "expires_in": 600,
        "interval": 2,
    }
    pending, slower = (400, {"error": "authorization_pending"}), (400, {"error": "slow_down"})
    script.answers = [code, pending, slower, {"access_token": "a", "expires_in": 60, "refresh_token": "r"}]
    client = connect()
    device = client.do("start_device_sign_in")
    token = client.do("await_device_sign_in", device)
    assert (device.user_code, token.token, token.refresh_token) == ("AB", "a", "r")
    assert no_waiting == [2, 2, 7]
