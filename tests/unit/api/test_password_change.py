import pytest
from argon2 import PasswordHasher

from api import passwords

ADA, OLD, NEW = "ada@example.test", "correct horse battery", "staple staple staple"
PATH = "/v1/auth/user"
OPEN = pytest.mark.parametrize("settings", [{"open_signup": True}], indirect=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def sign_in(client, password):
    answer = client.post("/v1/auth/signin", json={"email": ADA, "password": password})
    return {"Authorization": answer.json()["token"]} if answer.status_code == 200 else None


def change(client, headers, **members):
    answer = client.request("PATCH", PATH, headers=headers, json={"password": NEW} | members)
    if answer.status_code == 200:
        return ""
    assert answer.status_code == 400
    return answer.json()["details"][0]["fieldViolations"][0]["field"]


@pytest.fixture
def token(anonymous):
    """Return the header of a new account with a password."""
    body = {"email": ADA, "password": OLD}
    assert anonymous.post("/v1/auth/signup", json=body).status_code == 200
    return sign_in(anonymous, OLD)


@OPEN
def test_the_old_password_lets_a_new_one_in_and_other_sessions_out(anonymous, token):
    other = sign_in(anonymous, OLD)
    assert change(anonymous, token) == "currentPassword"
    assert change(anonymous, token, currentPassword=NEW) == "currentPassword"
    assert change(anonymous, token, currentPassword=OLD, password="short") == "password"
    assert anonymous.get(PATH, headers=other).status_code == 200
    assert change(anonymous, token, currentPassword=OLD, firstName="Ada") == ""
    assert anonymous.get(PATH, headers=token).json()["user"]["firstName"] == "Ada"
    assert anonymous.get(PATH, headers=other).status_code == 401
    assert sign_in(anonymous, OLD) is None
    assert sign_in(anonymous, NEW) is not None


@OPEN
def test_who_forgot_the_password_sets_one_by_a_code_of_its_own_purpose(anonymous, token, mailbox):
    anonymous.post("/v1/auth/otp", json={"purpose": "api_key"}, headers=token)
    assert change(anonymous, token, otp=mailbox.code(ADA)) == "otp"
    anonymous.post("/v1/auth/otp", json={"purpose": "password"}, headers=token)
    code = mailbox.code(ADA)
    assert change(anonymous, token, otp=code) == ""
    assert change(anonymous, token, otp=code) == "otp"
    assert sign_in(anonymous, NEW) is not None


def test_an_account_without_an_email_has_no_password(ada):
    assert change(ada, {}) == "password"


@pytest.mark.parametrize("settings", [{"open_signup": True, "sign_in_limit": "3/hour"}], indirect=True)
def test_passwords_are_not_guessed_with_a_found_token(anonymous, token):
    for _ in range(2):
        assert change(anonymous, token, currentPassword="a guess of it") == "currentPassword"
    answers = [
        anonymous.request("PATCH", PATH, headers=token, json={"password": NEW, "currentPassword": "x"})
        for _ in range(2)
    ]
    assert answers[-1].status_code == 429
