import json

import pytest

from api.deps import DEFAULT_ROWS, MOST_ROWS, AdminDep, Page
from gridloom.errors import BadInput


def test_what_is_not_asked_for_gets_its_default():
    page = Page.of(0, 0)
    assert (page.limit, page.offset, page.order_by, page.descending) == (DEFAULT_ROWS, 0, "", True)


def test_a_page_is_bounded():
    assert Page.of(10**9, 5).limit == MOST_ROWS


@pytest.mark.parametrize(
    ("text", "order_by", "descending"),
    [
        ("createdAt", "created_at", True),
        ("created_at asc", "created_at", False),
        ("name", "name", False),
        (" userName  DESC ", "user_name", True),
    ],
)
def test_an_order_is_read_in_either_spelling(text, order_by, descending):
    page = Page.of(1, 0, text)
    assert (page.order_by, page.descending) == (order_by, descending)


@pytest.mark.parametrize(
    ("limit", "offset", "order_by"), [(-1, 0, ""), (1, -1, ""), (1, 2**40, ""), (1, 0, "name down")]
)
def test_what_makes_no_page_is_refused(limit, offset, order_by):
    with pytest.raises(BadInput):
        Page.of(limit, offset, order_by)


def test_a_call_for_admins_is_refused_to_everyone_else(anonymous, ada):
    @anonymous.app.get("/secret")
    def secret(caller: AdminDep) -> str:
        return caller.user_name

    api_key = json.loads(anonymous.context.settings.bootstrap_file.read_text())["apiKey"]
    token = anonymous.post("/v1/auth/access_token", json={"apiKey": api_key}).json()["token"]
    assert anonymous.get("/secret", headers={"Authorization": token}).json() == "admin"
    assert ada.get("/secret").status_code == 403
    assert anonymous.get("/secret").status_code == 401
