import pytest

from api.mail import Mailer
from gridloom.settings import Settings
from storage.repositories import accounts, api_keys

ADA = "ada@example.test"


@pytest.fixture
def mailed(ada, mailbox):
    """Return ada's client; her account has an e-mail."""
    user_id = ada.get("/v1/auth/user").json()["user"]["id"]
    ada.context.writer.run(lambda it: accounts.change(it, user_id, {"email": ADA}))
    return ada


def create(client, **members):
    return client.post("/v1/auth/api_keys", json={"name": "laptop"} | members)


def keys(client):
    return client.get("/v1/auth/api_keys").json()["apiKeys"]


def exchange(client, api_key):
    return client.post("/v1/auth/access_token", json={"apiKey": api_key})


def test_a_key_is_shown_once_works_and_is_listed_without_itself(ada, anonymous):
    body = create(ada, duration="3600").json()
    assert body["apiKey"].startswith("glk_")
    assert len(body["apiKey"]) >= 40
    token = exchange(anonymous, body["apiKey"]).json()["token"]
    listed = keys(ada)
    assert listed[0] == body["key"]
    assert (listed[0]["name"], listed[0]["revoked"]) == ("laptop", False)
    assert listed[0]["userId"] == ada.get("/v1/auth/user").json()["user"]["id"]
    assert body["apiKey"] not in ada.get("/v1/auth/api_keys", headers={"Authorization": token}).text


def test_no_key_and_no_token_lies_in_the_database(ada, anonymous):
    key = create(ada).json()["apiKey"]
    token = exchange(anonymous, key).json()["token"]
    stored = ada.stored()
    assert "laptop" in stored
    assert key not in stored
    assert key.removeprefix("glk_") not in stored
    assert token not in stored


def test_an_account_with_an_email_confirms_with_a_code(mailed, mailbox):
    for wrong in ({}, {"otp": ""}, {"otp": "123"}):
        answer = create(mailed, **wrong)
        assert (answer.status_code, answer.json()["details"][0]["fieldViolations"][0]["field"]) == (
            400,
            "otp",
        )
    assert mailed.post("/v1/auth/otp", json={"purpose": "api_key"}).status_code == 200
    assert create(mailed, otp=mailbox.code(ADA)).status_code == 200
    assert mailed.get("/v1/auth/user").json()["user"]["emailVerified"]
    assert create(mailed, otp=mailbox.code(ADA)).status_code == 400


def test_a_code_to_sign_in_makes_no_key_and_the_other_way_round(mailed, mailbox, anonymous):
    mailed.post("/v1/auth/otp", json={"purpose": "login"})
    assert create(mailed, otp=mailbox.code(ADA)).status_code == 400
    mailed.post("/v1/auth/otp", json={})
    assert anonymous.post("/v1/auth/signin", json={"email": ADA, "otp": mailbox.code(ADA)}).status_code == 401


def test_where_no_mail_can_be_sent_no_code_is_asked_for(mailed):
    codes = mailed.context.codes
    sent, codes.mailer = codes.mailer, Mailer(Settings(host="0.0.0.0"))
    assert create(mailed).status_code == 200
    codes.mailer.close()
    codes.mailer = sent


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"duration": 0}, "duration"),
        ({"duration": "soon"}, "duration"),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "9999-12-31T23:59:59Z"}, "expiresAt"),
    ],
)
def test_a_key_that_cant_be_is_refused_by_name(ada, members, field):
    answer = create(ada, **members)
    assert (answer.status_code, answer.json()["details"][0]["fieldViolations"][0]["field"]) == (400, field)


def test_a_revoked_key_and_its_tokens_end_and_the_list_says_so(ada, anonymous):
    body = create(ada).json()
    headers = {"Authorization": exchange(anonymous, body["apiKey"]).json()["token"]}
    assert anonymous.get("/v1/auth/info", headers=headers).status_code == 200
    assert ada.post(f"/v1/auth/api_keys/{body['key']['id']}/revoke").json()["ok"]
    assert exchange(anonymous, body["apiKey"]).status_code == 401
    assert anonymous.get("/v1/auth/info", headers=headers).status_code == 401
    assert [it["revoked"] for it in keys(ada)] == [False, True]  # what lets in comes first
    assert ada.post(f"/v1/auth/api_keys/{body['key']['id']}/revoke").status_code == 200


def test_anothers_key_is_neither_listed_nor_revoked(ada, bob):
    key_id = create(ada).json()["key"]["id"]
    assert key_id not in [it["id"] for it in keys(bob)]
    theirs = bob.post(f"/v1/auth/api_keys/{key_id}/revoke")
    absent = bob.post("/v1/auth/api_keys/none/revoke")
    assert theirs.status_code == absent.status_code == 404
    assert theirs.json()["message"].replace(key_id, "none") == absent.json()["message"]
    assert keys(ada)[0]["revoked"] is False


def test_an_account_has_no_more_keys_than_its_list_shows(ada, monkeypatch):
    monkeypatch.setattr(api_keys, "MOST_KEYS", 2)
    answers = [ada.post("/v1/auth/api_keys", json={"name": it}) for it in ("a", "b")]
    assert [it.status_code for it in answers] == [200, 403]  # the client came with a key of its own
    assert ada.post(f"/v1/auth/api_keys/{answers[0].json()['key']['id']}/revoke").status_code == 200
    assert ada.post("/v1/auth/api_keys", json={"name": "c"}).status_code == 200
