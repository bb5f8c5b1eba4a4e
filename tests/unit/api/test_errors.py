import pytest
from sqlalchemy.exc import OperationalError

from api import errors
from gridloom.errors import BadParameters


def test_an_unknown_route_answers_the_common_body(anonymous):
    answer = anonymous.get("/v1/dev/nothing")
    body = answer.json()
    assert answer.status_code == 404
    assert body["ok"] is False
    assert body["requestId"] == answer.headers["x-request-id"]
    assert body["error"]["code"] == 404
    assert body["code"] == 5
    assert body["details"] == []


def test_a_wrong_method_answers_the_common_body(anonymous):
    answer = anonymous.get("/v1/auth/access_token")
    assert (answer.status_code, answer.json()["ok"]) == (405, False)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[1,]",
        '{"apiKey": NaN}',
        '{"apiKey": "\\ud800"}',
        '{"apiKey": "\\u0000"}',
        '{"a": 1e999}',
        "[" * 100_000,
        b"\xff",
    ],
)
def test_a_body_that_is_not_json_answers_400(anonymous, body):
    answer = anonymous.post("/v1/auth/access_token", content=body)
    assert answer.status_code == 400, answer.text
    assert "not JSON" in answer.json()["message"]


def test_a_missing_member_is_named(anonymous):
    answer = anonymous.post("/v1/auth/access_token", json={})
    assert answer.status_code == 400
    assert "apiKey" in answer.json()["message"]
    assert answer.json()["details"][0]["fieldViolations"][0]["field"] == "apiKey"


def test_an_errors_field_is_told(anonymous):
    @anonymous.app.get("/fails")
    def fails():
        raise BadParameters("is not a number", field="/params/app/case")

    body = anonymous.get("/fails").json()
    assert body["error"]["description"] == "/params/app/case: is not a number"
    assert body["details"][0]["fieldViolations"][0]["field"] == "/params/app/case"


def test_an_unexpected_error_answers_500_and_leaks_nothing(anonymous):
    @anonymous.app.get("/fails")
    def fails():
        raise RuntimeError("the password is swordfish")

    answer = anonymous.get("/fails")
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert answer.json()["error"]["code"] == 500


@pytest.mark.parametrize("settings", [{"max_body_mib": 1}], indirect=True)
@pytest.mark.parametrize("told", [{}, {"Content-Length": "10"}])
def test_a_body_past_the_cap_is_refused_whatever_its_told_length(anonymous, told):
    async def body():
        for _ in range(3):
            yield b" " * 600_000

    answer = anonymous.post("/v1/auth/access_token", content=body(), headers=told)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == 413


def test_a_browsers_preflight_is_answered(anonymous):
    asked = {
        "Origin": "https://console.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Content-Type, Authorization",
    }
    answer = anonymous.request("OPTIONS", "/v1/dev/apps", headers=asked)
    assert answer.status_code == 200
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()


def test_errors_carry_the_cors_header_too(anonymous):
    answer = anonymous.get("/v1/dev/nothing", headers={"Origin": "https://console.test"})
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_database_that_is_away_answers_503_and_when_to_come_back(anonymous):
    @anonymous.app.get("/fails")
    def fails():
        raise OperationalError("SELECT secret", {}, Exception("connection refused"))

    answer = anonymous.get("/fails")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/v1/dev/templates/%00", "/v1/dev/cache?path=%00"])
def test_a_nul_in_a_url_is_refused_before_a_database_is_asked(anonymous, path):
    assert anonymous.get(path).status_code == 400


def test_a_signed_link_stays_out_of_the_log():
    assert errors._loggable("/files/upload/secret-token") == "/files/upload/…"
    assert errors._loggable("/v1/customer/jobs/1") == "/v1/customer/jobs/1"
