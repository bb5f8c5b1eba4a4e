import jwt
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from api import passwords
from api.mail import Mailer
from gridloom.settings import Settings
from storage.tables import one_time_codes
from storage.tables import sessions as session_table

ADA, PASSWORD = "ada@example.test", "correct horse battery"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


OPEN = pytest.mark.parametrize("settings", [{"open_signup": True}], indirect=True)


def sign_up(client, **members):
    return client.post(
        "/v1/auth/signup", json={"email": ADA, "accessCode": "", "password": PASSWORD} | members
    )


def sign_in(client, **members):
    return client.post("/v1/auth/signin", json={"email": ADA} | members)


def ask(client, **members):
    return client.post("/v1/auth/otp", json=members)


@OPEN
def test_whoever_signed_up_signs_in_with_a_password(anonymous):
    answer = sign_up(anonymous, email=" Ada@Example.test ", firstName="Ada", contactInfo={"company": "AE"})
    user = answer.json()["user"]
    assert (user["email"], user["userName"], user["role"]) == (ADA, "ada", "ROLE_USER")
    assert (user["emailVerified"], user["contactInfo"]["company"], user["displayName"]) == (
        False,
        "AE",
        "Ada",
    )
    answer = sign_in(anonymous, password=PASSWORD)
    assert answer.json()["expiresIn"] == "3600"
    headers = {"Authorization": answer.json()["token"]}
    assert anonymous.get("/v1/auth/user", headers=headers).json()["user"]["lastLogin"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("settings", [{"access_code": "let me in"}], indirect=True)
def test_an_access_code_opens_sign_up(anonymous):
    for wrong in ("", "let me", "let me in!", "ä"):
        assert sign_up(anonymous, accessCode=wrong).status_code == 403
    assert sign_up(anonymous, accessCode=" let me in ").status_code == 200


def test_without_an_access_code_nobody_signs_up(anonymous):
    for code in ("", "None", "x"):
        assert sign_up(anonymous, accessCode=code).status_code == 403


@OPEN
def test_an_email_and_a_user_name_are_taken_once(anonymous):
    assert sign_up(anonymous, userName="Ada").status_code == 200
    assert "email" in sign_up(anonymous, email="ADA@example.test").json()["error"]["description"]
    assert "userName" in sign_up(anonymous, email="a@b.test", userName="aDa").json()["error"]["description"]


@OPEN
@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "x" * 1001}, "password"),
        ({"email": "nobody"}, "email"),
        ({"userName": "a/b"}, "userName"),
        ({"firstName": "x" * 101}, "firstName"),
        ({"contactInfo": {"city": "x" * 101}}, "contactInfo.city"),
    ],
)
def test_a_sign_up_that_cant_be_is_refused_by_name(anonymous, members, field):
    answer = sign_up(anonymous, **members)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["fieldViolations"][0]["field"] == field


@OPEN
def test_no_one_signs_themselves_up_as_more_than_a_user(anonymous):
    more = {
        "role": "admin",
        "id": "x",
        "emailVerified": True,
        "disabled": False,
        "weight": 9,
        "customClaims": {"role": "admin"},
    }
    user = sign_up(anonymous, **more).json()["user"]
    assert (user["role"], user["customClaims"], user["emailVerified"]) == (
        "ROLE_USER",
        {"role": "user"},
        False,
    )


@OPEN
def test_a_code_signs_in_once_and_proves_the_email(anonymous, mailbox):
    sign_up(anonymous, password="")
    assert ask(anonymous, email=ADA, purpose="signup").status_code == 200
    code = mailbox.code(ADA)
    token = sign_in(anonymous, otp=f" {code[:3]} {code[3:]} ").json()["token"]
    user = anonymous.get("/v1/auth/user", headers={"Authorization": token}).json()["user"]
    assert user["emailVerified"]
    assert sign_in(anonymous, otp=code).status_code == 401


@OPEN
def test_a_password_that_somebody_else_set_before_goes_with_the_first_proof(anonymous, mailbox):
    sign_up(anonymous)
    squatter = {"Authorization": sign_in(anonymous, password=PASSWORD).json()["token"]}
    ask(anonymous, email=ADA)
    assert sign_in(anonymous, otp=mailbox.code(ADA)).status_code == 200
    assert sign_in(anonymous, password=PASSWORD).status_code == 401
    anonymous.app.state.gate.forget()
    assert anonymous.get("/v1/auth/user", headers=squatter).status_code == 401


@OPEN
def test_password_and_code_together_must_both_be_right_and_keep_the_password(anonymous, mailbox):
    sign_up(anonymous)
    ask(anonymous, email=ADA)
    code = mailbox.code(ADA)
    assert sign_in(anonymous, password=PASSWORD, otp="000000x").status_code == 401
    assert sign_in(anonymous, password=PASSWORD, otp=code).status_code == 200
    assert sign_in(anonymous, password=PASSWORD).status_code == 200


@OPEN
def test_five_wrong_codes_use_up_the_right_one(anonymous, mailbox):
    sign_up(anonymous)
    ask(anonymous, email=ADA)
    code = mailbox.code(ADA)
    for number in range(5):
        wrong = f"{(int(code) + 1 + number) % 1_000_000:06}"
        assert sign_in(anonymous, otp=wrong).status_code == 401
    assert sign_in(anonymous, otp=code).status_code == 401


@OPEN
def test_no_answer_tells_whether_there_is_an_account(anonymous, mailbox):
    sign_up(anonymous)
    known, unknown = (ask(anonymous, email=it).json() for it in (ADA, "nobody@example.test"))
    assert known["message"] == unknown["message"]
    assert [to for to, _ in mailbox.mails] == [ADA]
    refusals = [
        sign_in(anonymous, email=it, password="wrong password") for it in (ADA, "nobody@example.test")
    ]
    assert {(it.status_code, it.json()["message"]) for it in refusals} == {
        (401, "the e-mail, the password or the code is wrong")
    }


@OPEN
def test_a_disabled_account_does_not_sign_in(anonymous, admin, mailbox):
    user_id = sign_up(anonymous).json()["user"]["id"]
    ask(anonymous, email=ADA)
    admin.post(f"/v1/admin/users/{user_id}/disable")
    assert sign_in(anonymous, password=PASSWORD).status_code == 401
    assert sign_in(anonymous, otp=mailbox.code(ADA)).status_code == 401
    assert ask(anonymous, email=ADA).status_code == 200
    assert len(mailbox.mails) == 1


def test_neither_password_nor_code_is_refused(anonymous):
    assert sign_in(anonymous).status_code == 400


@OPEN
def test_codes_lie_in_the_database_as_hashes(anonymous, mailbox):
    sign_up(anonymous)
    ask(anonymous, email=ADA)
    with anonymous.context.database.read() as connection:
        row = connection.execute(select(one_time_codes)).one()
    assert mailbox.code(ADA) not in str(row)


def test_a_code_request_needs_an_email_or_a_token_of_an_account_with_one(anonymous, ada):
    assert ask(anonymous).status_code == 400
    assert ask(ada).json()["message"] == "your account has no e-mail"
    assert anonymous.post("/v1/auth/otp", json={}, headers={"Authorization": "x"}).status_code == 401


def test_where_no_mail_can_be_sent_the_answer_names_the_setting(anonymous):
    codes = anonymous.context.codes
    sent, codes.mailer = codes.mailer, Mailer(Settings(host="0.0.0.0"))
    answer = ask(anonymous, email=ADA)
    codes.mailer.close()
    codes.mailer = sent
    assert answer.status_code == 503
    assert "GRIDLOOM_SMTP_URL" in answer.json()["message"]


@OPEN
def test_only_the_fabrics_own_page_gets_the_cookie_of_the_sign_in_pages(anonymous):
    sign_up(anonymous)
    body = {"email": ADA, "password": PASSWORD}
    headers = {"Sec-Fetch-Site": "same-origin"}
    cookie = anonymous.post("/v1/auth/signin", json=body, headers=headers).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/v1/auth"} <= set(cookie.split("; "))
    for site in ("cross-site", "same-site", "none"):
        answer = anonymous.post("/v1/auth/signin", json=body, headers={"Sec-Fetch-Site": site})
        assert "set-cookie" not in answer.headers


@OPEN
def test_signing_out_ends_the_session_and_all_its_tokens(anonymous):
    sign_up(anonymous)
    token = sign_in(anonymous, password=PASSWORD).json()["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    other = anonymous.app.state.gate.issue(claims["sub"], claims["sid"])
    assert anonymous.post("/v1/auth/signout", json={}, headers={"Authorization": token}).status_code == 200
    for it in (token, other):
        assert anonymous.get("/v1/auth/skip", headers={"Authorization": it}).status_code == 401


@OPEN
def test_an_expired_sessions_tokens_are_refused(anonymous):
    sign_up(anonymous)
    token = sign_in(anonymous, password=PASSWORD).json()["token"]
    past = update(session_table).values(expires_at=session_table.c.created_at)
    anonymous.context.writer.run(lambda connection: connection.execute(past))
    assert anonymous.get("/v1/auth/skip", headers={"Authorization": token}).status_code == 401
