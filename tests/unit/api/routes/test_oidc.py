import time
from base64 import b64encode
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from api import oidc
from api.registration import register
from api.tokens import hash_key
from storage.repositories import accounts, sessions
from tests.fixtures.openid import CLIENT, SECRET, OpenIdProvider

LOGIN, CALLBACK = "/v1/auth/oidc/login", "/v1/auth/oidc/callback"
ADA = "ada@example.test"


@pytest.fixture
def provider():
    provider = OpenIdProvider()
    yield provider
    provider.close()


@pytest.fixture
def settings(settings, provider):
    changes = {
        "open_signup": True,
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SecretStr(SECRET),
    }
    return settings.model_copy(update=changes)


@pytest.fixture
def sign_in(anonymous, provider):
    """Return a function that goes to the provider and back, and gives the last answer."""

    def go(next_path="/", cookie=None, **changes):
        answer = anonymous.get(f"{LOGIN}?{urlencode({'next': next_path})}")
        assert answer.status_code == 302
        kept = cookie if cookie is not None else answer.headers["set-cookie"].split(";")[0]
        query = provider.visit(answer.headers["location"])
        if changes:
            query = urlencode({"code": query.partition("&")[0].partition("=")[2]} | changes)
        return anonymous.get(f"{CALLBACK}?{query}", headers={"Cookie": kept})

    return go


def who(anonymous, answer):
    """Return the account that the browser is signed in as, None when it is not."""
    cookies = [it.split(";")[0] for it in answer.headers.get_list("set-cookie")]
    session = [it for it in cookies if it.startswith("gridloom_session=")]
    if not session:
        return None
    with anonymous.context.database.read() as connection:
        row = sessions.by_secret(connection, "browser", hash_key(session[0].partition("=")[2]))
        return accounts.by_id(connection, row.account_id)


def test_a_new_user_gets_an_account_and_is_the_same_the_next_time(anonymous, provider, sign_in):
    provider.claims |= {"given_name": "Ada", "family_name": "Lovelace"}
    answer = sign_in("/v1/auth/oauth2/device?user_code=BCDF")
    assert (answer.status_code, answer.headers["location"]) == (302, "/v1/auth/oauth2/device?user_code=BCDF")
    account = who(anonymous, answer)
    assert (account.email, account.email_verified, account.first_name) == (ADA, True, "Ada")
    assert (account.provider, account.subject, account.role) == (provider.issuer, "1", "user")
    provider.claims |= {"email": "new@example.test"}
    assert who(anonymous, sign_in()).id == account.id
    assert provider.logins[0] == f"Basic {b64encode(b'fabric:provider%20secret').decode()}"


def test_a_verified_email_finds_its_account_and_ends_what_a_squatter_set(anonymous, sign_in):
    columns = {"email": ADA, "password_hash": "squatter"}
    account = register(anonymous.context, "ada", columns)
    found = who(anonymous, sign_in())
    assert (found.id, found.password_hash, found.email_verified) == (account.id, None, True)


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email_verified": "true"}, {"email": "x"}])
def test_an_email_that_is_not_verified_finds_nobody(anonymous, provider, sign_in, claims):
    account = register(anonymous.context, "ada", {"email": ADA})
    provider.claims |= claims
    found = who(anonymous, sign_in())
    assert found.id != account.id
    assert found.email is None


def test_an_account_stays_with_its_first_user_of_the_provider(anonymous, provider, sign_in):
    assert who(anonymous, sign_in()) is not None
    provider.claims["sub"] = "2"
    assert sign_in().status_code == 403


def test_a_disabled_account_stays_out(anonymous, admin, sign_in):
    admin.post(f"/v1/admin/users/{who(anonymous, sign_in()).id}/disable")
    answer = sign_in()
    assert (answer.status_code, who(anonymous, answer)) == (403, None)


def test_where_sign_up_is_closed_only_known_users_get_in(anonymous, provider, sign_in):
    context = anonymous.context
    anonymous.app.state.context = replace(
        context, settings=context.settings.model_copy(update={"open_signup": False})
    )
    assert sign_in().status_code == 403
    register(context, "ada", {"email": ADA})
    assert sign_in().status_code == 302


def test_a_token_that_is_not_just_right_lets_nobody_in(anonymous, provider, sign_in):
    good, now = provider.key, int(time.time())
    for spoil in (
        {"nonce": "other"},
        {"nonce": None},
        {"aud": "somebody else"},
        {"aud": [CLIENT, "somebody else"]},
        {"iss": "https://evil.test"},
        {"exp": now - 3600},
        {"exp": None},
        {"sub": None},
    ):
        provider.spoil = spoil
        answer = sign_in()
        assert (answer.status_code, who(anonymous, answer)) == (401, None), spoil
    provider.spoil = {}
    provider.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert sign_in().status_code == 401
    provider.key, provider.algorithm = "x" * 32, "HS256"
    assert sign_in().status_code == 401
    provider.key, provider.algorithm = good, "RS256"
    assert sign_in().status_code == 302


def test_only_the_browser_that_began_comes_back_and_only_once(anonymous, provider, sign_in):
    assert sign_in(state="other").status_code == 401
    assert sign_in(state="").status_code == 401
    assert sign_in(cookie="gridloom_oidc=x").status_code == 401
    other = anonymous.get(LOGIN).headers["set-cookie"].split(";")[0]
    assert sign_in(cookie=other).status_code == 401
    assert sign_in(code="code99").status_code == 401


def test_nobody_is_led_off_the_fabric(sign_in):
    for path in (
        "//evil.test",
        "https://evil.test",
        "/\\evil.test",
        "\\/evil.test",
        "/a\r\nX: y",
        "",
        "evil",
    ):
        assert sign_in(path).headers["location"] == "/", path


def test_a_provider_that_is_away_or_not_set_says_so_on_a_page(anonymous, provider):
    context = anonymous.context
    for issuer, status in (("", 404), ("http://127.0.0.1:1", 503), (f"{provider.issuer}/other", 503)):
        changed = context.settings.model_copy(update={"oidc_issuer": issuer})
        anonymous.app.state.context = replace(context, settings=changed)
        for path in (LOGIN, f"{CALLBACK}?code=x&state=y"):
            answer = anonymous.get(path)
            assert answer.status_code == (401 if path != LOGIN and issuer else status)
            assert "not signed in" in answer.text


def test_the_sign_in_page_offers_the_provider(anonymous):
    assert f"{LOGIN}?next=" in anonymous.get("/v1/auth/oauth2/device").text


def test_a_provider_that_leaves_out_where_to_go_is_a_failure_that_says_so(anonymous, provider, monkeypatch):
    monkeypatch.setattr(oidc, "_called", lambda *_, **__: {"issuer": provider.issuer})
    answer = anonymous.get(LOGIN)
    assert answer.status_code == 503
    assert "authorization_endpoint" in answer.text
