import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from argon2 import PasswordHasher
from sqlalchemy import update

from api import passwords
from api.oauth import s256
from storage.tables import oauth_codes

ADA, PASSWORD, VERIFIER = "ada@example.test", "correct horse battery", "v" * 43
BACK = "http://127.0.0.1:54321/callback"
ASKED = {
    "response_type": "code",
    "client_id": "gridloom-cli",
    "redirect_uri": BACK,
    "state": "s&<tate>",
    "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256",
}
PAGE, TOKEN, DEVICE = (f"/v1/auth/oauth2/{it}" for it in ("authorize", "token", "device"))
EVIL = [
    "https://evil.test/",
    "http://evil.test:80/",
    "http://127.0.0.1:80@evil.test/",
    "http://127.0.0.1.evil.test:80/",
    "http://localhost.evil.test:80/",
    "http://127.0.0.1:80/\r\nX: y",
    "http://127.0.0.1:80/?a=b",
    "http://127.0.0.1:80/#a",
    "http://127.0.0.1:80\\@evil.test/",
    "http://127.0.0.1/",
    "//evil.test",
    "javascript:alert(1)",
    "",
]
BROKEN = [
    ("response_type", "token"),
    ("code_challenge", ""),
    ("code_challenge", "x" * 42),
    ("code_challenge_method", "plain"),
    ("code_challenge_method", ""),
]
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Browser:
    """Keeps cookies, reads forms, follows nothing."""

    def __init__(self, client):
        self.client, self.cookies, self.page = client, {}, None

    def go(self, path, **headers):
        return self._sent("GET", path, headers)

    def press(self, path, action, **members):
        pairs = re.findall(r"<input type=hidden name='([^']*)' value='([^']*)'>", self.page.text)
        form = {name: unescape(value) for name, value in pairs} | {"action": action} | members
        return self._sent("POST", path, {}, data=form)

    def sign_in(self, path=PAGE, **members):
        return self.press(path, "sign_in", **{"email": ADA, "password": PASSWORD} | members)

    def _sent(self, method, path, headers, **kwargs):
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.page = self.client.request(method, path, headers=headers | {"Cookie": cookie}, **kwargs)
        for line in self.page.headers.get_list("set-cookie"):
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return self.page


@pytest.fixture
def browser(anonymous, admin, monkeypatch):
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    body = {"userName": "ada", "email": ADA, "password": PASSWORD}
    assert admin.post("/v1/admin/users", json=body).status_code == 200
    return Browser(anonymous)


def authorize(**changes):
    return f"{PAGE}?{urlencode(ASKED | changes)}"


def query_of(answer):
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{BACK}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def exchange(client, **members):
    return client.post(TOKEN, data={"client_id": "gridloom-cli"} | members)


def by_code(client, code, **changes):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    return exchange(client, **form | {"code_verifier": VERIFIER} | changes)


def refresh(client, token, **changes):
    return exchange(client, grant_type="refresh_token", refresh_token=token, **changes)


def user_of(client, access_token):
    return client.get("/v1/auth/user", headers={"Authorization": f"Bearer {access_token}"})


@pytest.fixture
def code(browser):
    browser.go(authorize())
    return query_of(browser.sign_in())["code"]


def test_signing_in_on_the_page_leads_back_with_a_code_for_tokens(browser, anonymous):
    page = browser.go(authorize())
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    found = query_of(browser.sign_in())
    assert found["state"] == ASKED["state"]
    answer = by_code(anonymous, found["code"])
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert user_of(anonymous, body["access_token"]).json()["user"]["userName"] == "ada"


def test_who_is_signed_in_is_asked_whoever_opened_the_page(browser, code):
    page = browser.go(authorize(), **{"Sec-Fetch-Site": "none"})
    assert page.status_code == 200
    assert "<b>ada</b>" in page.text
    assert "code" in query_of(browser.press(PAGE, "allow"))
    browser.go(authorize())
    assert query_of(browser.press(PAGE, "deny")) == {"error": "access_denied", "state": ASKED["state"]}


def test_a_wrong_password_shows_the_form_again_and_says_nothing_more(browser):
    browser.go(authorize())
    for email in (ADA, "nobody@example.test"):
        page = browser.sign_in(email=email, password="wrong password")
        assert page.status_code == 401
        assert "the e-mail, the password or the code is wrong" in page.text
    assert "gridloom_session" not in browser.cookies
    assert browser.press(PAGE, "allow").status_code == 200


def test_a_code_by_mail_signs_in_too(browser, mailbox):
    browser.go(authorize())
    assert browser.press(PAGE, "send_code", email=ADA).status_code == 200
    assert "code" in query_of(browser.sign_in(password="", code=mailbox.code(ADA)))


def test_nobody_is_led_anywhere_but_to_this_computer(browser):
    browser.go(authorize())
    form = browser.page
    for uri in EVIL:
        browser.page = form
        answers = [browser.press(PAGE, "deny", redirect_uri=uri), browser.go(authorize(redirect_uri=uri))]
        for answer in answers:
            assert (answer.status_code, "location" in answer.headers) == (400, False), uri


def test_another_client_is_refused_on_the_page(browser):
    assert browser.go(authorize(client_id="evil")).status_code == 400
    assert browser.go(authorize(client_id="bytenite-cli")).status_code == 200


def test_a_request_that_is_not_good_is_told_to_its_client(browser):
    for name, value in BROKEN:
        found = query_of(browser.go(authorize(**{name: value})))
        wanted = "unsupported_response_type" if name == "response_type" else "invalid_request"
        assert (found["error"], found["state"]) == (wanted, ASKED["state"])


def test_a_form_from_elsewhere_is_refused(browser, code):
    browser.go(authorize())
    assert browser.press(PAGE, "allow", form_token="0" * 64).status_code == 403
    browser.go(authorize())
    del browser.cookies["gridloom_form"]
    assert browser.press(PAGE, "allow").status_code == 403
    browser.go(DEVICE)
    assert browser.press(DEVICE, "allow", form_token="").status_code == 403


def test_pages_run_no_scripts_fit_in_no_frame_and_escape_what_comes_in(browser):
    evil = "'><script>alert(1)</script>"
    for path in (authorize(state=evil), f"{DEVICE}?{urlencode({'user_code': evil})}"):
        page = browser.go(path)
        assert "<script" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
    page = browser.sign_in(DEVICE, email=evil)
    assert "<script" not in page.text
    assert (
        f"form-action 'self' {BACK.rsplit('/', 1)[0]}"
        in browser.go(authorize()).headers["content-security-policy"]
    )


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_paths(browser):
    browser.go(authorize())
    cookies = browser.sign_in().headers.get_list("set-cookie")
    session = next(it for it in cookies if it.startswith("gridloom_session="))
    assert {"HttpOnly", "SameSite=lax", "Path=/v1/auth"} <= set(session.split("; "))
    secret = session.split(";")[0].split("=")[1]
    assert (
        browser.client.get("/v1/auth/user", headers={"Cookie": f"gridloom_session={secret}"}).status_code
        == 401
    )
    assert user_of(browser.client, secret).status_code == 401
    assert refresh(browser.client, secret).status_code == 400


def test_a_code_is_for_its_client_redirect_and_verifier_alone(anonymous, code):
    for changes in (
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"code_verifier": "v" * 129},
        {"redirect_uri": "http://127.0.0.1:54322/callback"},
        {"client_id": "bytenite-cli"},
        {"code": "glc_guess"},
    ):
        answer = by_code(anonymous, **{"code": code} | changes)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), changes
    assert by_code(anonymous, code).status_code == 200


def test_a_code_that_comes_twice_ends_what_it_gave(anonymous, code):
    body = by_code(anonymous, code).json()
    assert by_code(anonymous, code).json()["error"] == "invalid_grant"
    assert user_of(anonymous, body["access_token"]).status_code == 401
    assert refresh(anonymous, body["refresh_token"]).status_code == 400


def test_a_code_expires(anonymous, code):
    past = update(oauth_codes).values(expires_at=oauth_codes.c.created_at)
    anonymous.context.writer.run(lambda connection: connection.execute(past))
    assert by_code(anonymous, code).json()["error"] == "invalid_grant"


def test_a_refresh_token_is_good_once_and_a_second_use_ends_the_session(anonymous, code):
    first = by_code(anonymous, code).json()
    second = refresh(anonymous, first["refresh_token"]).json()
    assert user_of(anonymous, second["access_token"]).status_code == 200
    assert refresh(anonymous, first["refresh_token"]).json()["error"] == "invalid_grant"
    assert refresh(anonymous, second["refresh_token"]).json()["error"] == "invalid_grant"
    assert user_of(anonymous, second["access_token"]).status_code == 401


def test_signing_out_ends_the_refresh_token(anonymous, code):
    body = by_code(anonymous, code).json()
    headers = {"Authorization": body["access_token"]}
    assert anonymous.post("/v1/auth/signout", json={}, headers=headers).status_code == 200
    assert refresh(anonymous, body["refresh_token"]).status_code == 400


def test_a_refresh_token_that_never_was_is_refused(anonymous):
    for token in ("", "x", "x.y", "00000000-0000-4000-8000-000000000000.glr_x"):
        assert refresh(anonymous, token).json()["error"] == "invalid_grant"


def test_errors_have_the_body_of_the_rfc(anonymous):
    for form, status, error in (
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "client_id": "evil"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token", "refresh_token": "x" * 1000}, 400, "invalid_request"),
    ):
        answer = anonymous.post(TOKEN, data={"client_id": "gridloom-cli"} | form)
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert answer.json().keys() == {"error", "error_description"}


def test_a_disabled_account_gets_no_tokens(anonymous, admin, code):
    users = admin.get("/v1/admin/users").json()["users"]
    user_id = next(it["id"] for it in users if it["userName"] == "ada")
    admin.post(f"/v1/admin/users/{user_id}/disable")
    assert by_code(anonymous, code).json()["error"] == "invalid_grant"


def device_codes(client):
    answer = client.post("/v1/auth/oauth2/device_authorization", data={"client_id": "gridloom-cli"})
    assert answer.status_code == 200
    return answer.json()


def poll(client, codes, wait=True):
    if wait:
        calm = update(oauth_codes).values(polled_at=None)
        client.context.writer.run(lambda connection: connection.execute(calm))
    return exchange(client, grant_type=DEVICE_GRANT, device_code=codes["device_code"])


def test_a_device_waits_until_its_user_allows_it_elsewhere(browser, anonymous):
    codes = device_codes(anonymous)
    assert re.fullmatch("[B-Z]{4}-[B-Z]{4}", codes["user_code"])
    assert (codes["verification_uri"], codes["interval"]) == (f"http://fabric.test{DEVICE}", 5)
    assert poll(anonymous, codes).json()["error"] == "authorization_pending"
    assert poll(anonymous, codes, wait=False).json()["error"] == "slow_down"
    path = codes["verification_uri_complete"].removeprefix("http://fabric.test")
    browser.go(path)
    answer = browser.sign_in(DEVICE)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert codes["user_code"] in browser.go(path).text
    assert poll(anonymous, codes).json()["error"] == "authorization_pending"
    browser.go(path)
    assert browser.press(DEVICE, "allow").status_code == 200
    body = poll(anonymous, codes).json()
    assert user_of(anonymous, body["access_token"]).json()["user"]["userName"] == "ada"
    assert refresh(anonymous, body["refresh_token"]).status_code == 200
    assert poll(anonymous, codes).json()["error"] == "invalid_grant"


def test_a_user_types_the_code_in_any_case(browser, anonymous, code):
    codes = device_codes(anonymous)
    browser.go(DEVICE)
    page = browser.press(DEVICE, "look", user_code=f" {codes['user_code'].lower().replace('-', ' ')} ")
    assert "Allow" in page.text
    assert browser.press(DEVICE, "deny").status_code == 200
    assert poll(anonymous, codes).json()["error"] == "access_denied"


def test_a_device_code_expires_and_a_guessed_one_lets_nobody_in(browser, anonymous, code):
    codes = device_codes(anonymous)
    past = update(oauth_codes).values(expires_at=oauth_codes.c.created_at)
    anonymous.context.writer.run(lambda connection: connection.execute(past))
    assert poll(anonymous, codes).json()["error"] == "expired_token"
    for guess in (codes["user_code"], "BCDF-GHJK", "🙂"):
        assert browser.go(f"{DEVICE}?{urlencode({'user_code': guess})}").status_code == 400
        assert browser.press(DEVICE, "allow", user_code=guess).status_code == 400


def test_a_device_that_nobody_signed_in_for_is_let_in_by_nobody(browser, anonymous):
    codes = device_codes(anonymous)
    browser.go(codes["verification_uri_complete"].removeprefix("http://fabric.test"))
    assert browser.press(DEVICE, "allow").status_code >= 400
    assert poll(anonymous, codes).json()["error"] == "authorization_pending"
    bad = anonymous.post("/v1/auth/oauth2/device_authorization", data={"client_id": "evil"})
    assert (bad.status_code, bad.json()["error"]) == (401, "invalid_client")
