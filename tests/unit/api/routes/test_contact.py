import pytest
from sqlalchemy import select

from storage.tables import contact_messages
from tests.unit.api.routes.test_jobs import error_of

MESSAGE = {"email": "Ada@Example.org", "summary": "A question", "description": "Why?"}


def test_a_message_is_kept_for_the_operator(ada):
    assert ada.post("/v1/customer/contact", json=MESSAGE).json()["ok"] is True
    with ada.context.database.read() as connection:
        row = connection.execute(select(contact_messages)).one()
    assert (row.email, row.summary, row.description) == ("ada@example.org", "A question", "Why?")


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"email": "ada"}, "email"),
        ({"email": "a@b\r\nBcc: c@d"}, "email"),
        ({"summary": ""}, "summary"),
        ({"summary": "x" * 201}, "summary"),
        ({"description": "x" * 20_001}, "description"),
        ({"description": None}, "description"),
    ],
)
def test_what_is_no_message_is_refused(ada, members, field):
    answer = ada.post("/v1/customer/contact", json=MESSAGE | members)
    error_of(answer)
    assert answer.json()["details"][0]["fieldViolations"][0]["field"] == field


def test_nobody_floods_the_operator(ada, bob):
    for _ in range(20):
        assert ada.post("/v1/customer/contact", json=MESSAGE).status_code == 200
    refused = ada.post("/v1/customer/contact", json=MESSAGE)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert bob.post("/v1/customer/contact", json=MESSAGE).status_code == 200
