import json

import jwt
import pytest


@pytest.fixture
def api_key(anonymous, settings):
    return json.loads(settings.bootstrap_file.read_text())["apiKey"]


@pytest.mark.parametrize("member", ["apiKey", "api_key"])
def test_a_key_is_exchanged_for_a_token_and_seconds_as_text(anonymous, api_key, member):
    answer = anonymous.post("/v1/auth/access_token", json={member: f" {api_key}\n", "unknown": 1})
    body = answer.json()
    assert answer.status_code == 200
    assert (body["expiresIn"], body["scope"]) == ("3600", "")
    assert jwt.decode(body["token"], options={"verify_signature": False})["sub"]


def test_json_without_a_content_type_is_read_too(anonymous, api_key):
    content = json.dumps({"apiKey": api_key}).encode()
    assert anonymous.post("/v1/auth/access_token", content=content).status_code == 200


def test_a_wrong_key_answers_401_with_the_common_body(anonymous):
    answer = anonymous.post("/v1/auth/access_token", json={"apiKey": "glk_wrong"})
    assert answer.status_code == 401
    assert (answer.json()["ok"], answer.json()["code"]) == (False, 16)


def test_who_holds_a_token_skips_the_sign_in(ada, anonymous):
    assert ada.get("/v1/auth/skip").json() == {"skip": True, "redirectTo": "http://fabric.test/"}
    assert anonymous.get("/v1/auth/skip").status_code == 401


@pytest.mark.parametrize("body", [{"json": {}}, {"content": b""}])
def test_a_signed_out_token_is_refused_at_once_and_the_key_goes_on(anonymous, api_key, body):
    tokens = [
        anonymous.post("/v1/auth/access_token", json={"apiKey": api_key}).json()["token"] for _ in range(2)
    ]
    headers = [{"Authorization": it} for it in tokens]
    assert anonymous.get("/v1/auth/info", headers=headers[0]).status_code == 200
    assert anonymous.post("/v1/auth/signout", headers=headers[0], **body).json()["ok"]
    for path in ("/v1/auth/info", "/v1/customer/jobs", "/v1/auth/user"):
        assert anonymous.get(path, headers=headers[0]).status_code == 401
    assert anonymous.get("/v1/auth/info", headers=headers[1]).status_code == 200
