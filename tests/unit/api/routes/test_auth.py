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
