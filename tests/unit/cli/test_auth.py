"""Tests of `gridloom auth`."""

import json
import time

import pytest

from cli.loopback import Granted
from gridloom.profiles import Profile, read_profiles, write_profiles

ADA = {"id": "1", "userName": "ada", "email": "ada@example.org", "role": "ROLE_USER"}
TOKENS = {"access_token": "a1", "expires_in": 3600, "refresh_token": "r1"}
DEVICE = {
    "device_code": "d",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://f.test/device",
    "verification_uri_complete": "https://f.test/device?user_code=ABCD-EFGH",
    "expires_in": 600,
    "interval": 0.01,
}
PENDING = (400, {"error": "authorization_pending"})


@pytest.fixture
def nobody(fabric, monkeypatch):
    """A fabric whose user has no credential here, nor a display."""
    for name in ("GRIDLOOM_URL", "GRIDLOOM_API_KEY", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    fabric.answers["POST", "/v1/auth/oauth2/device_authorization"] = DEVICE
    fabric.answers["POST", "/v1/auth/oauth2/token"] = [PENDING, TOKENS, TOKENS]
    fabric.answers["GET", "/v1/auth/user"] = {"user": ADA}
    return fabric


def test_without_a_display_a_device_code_is_shown(nobody, gridloom):
    code, out, err = gridloom("--url", nobody.url, "auth")
    assert (code, out) == (0, f"signed in to {nobody.url} as ada\n")
    assert "https://f.test/device?user_code=ABCD-EFGH" in err
    assert "ABCD-EFGH" in err.rpartition("code")[2]
    kept = read_profiles()
    assert kept.current == "default"
    assert kept.get("default").refresh_token == "r1"
    assert kept.get("default").access_until > time.time() + 3000
    assert len(nobody.bodies("POST", "/v1/auth/oauth2/token")) == 2  # the first token is used, not renewed


def test_with_a_display_the_browser_is_opened(nobody, gridloom, monkeypatch):
    monkeypatch.setenv("BROWSER", "some-browser %s")
    granted = Granted(code="c", verifier="v", redirect_uri="http://127.0.0.1:1/callback")
    monkeypatch.setattr("cli.sign_in.authorize", lambda url, note: note(f"see {url}") or granted)
    nobody.answers["POST", "/v1/auth/oauth2/token"] = TOKENS
    code, _, err = gridloom("--url", nobody.url, "auth", "login")
    assert code == 0
    assert nobody.url in err
    [form] = nobody.bodies("POST", "/v1/auth/oauth2/token")
    assert (form["code"], form["code_verifier"], form["redirect_uri"]) == ("c", "v", granted.redirect_uri)


def test_who_is_signed_in_is_not_asked_again_unless_they_want_to(nobody, gridloom):
    gridloom("--url", nobody.url, "auth", "login", "--device")
    assert gridloom("auth")[1] == f"already signed in to {nobody.url} as ada\n"
    assert json.loads(gridloom("auth", "--json")[1])["already"] is True
    code, out, _ = gridloom("auth", "login", "--force")
    assert (code, out) == (0, f"signed in to {nobody.url} as ada\n")


def test_a_profile_is_named(nobody, gridloom):
    gridloom("--url", nobody.url, "--profile", "office", "auth")
    assert list(read_profiles().by_name) == ["office"]


def test_another_fabric_gets_a_profile_of_its_own(nobody, gridloom):
    write_profiles(read_profiles().having("default", Profile(url="http://elsewhere", api_key="k")))
    gridloom("--url", nobody.url, "auth")
    host = nobody.url.removeprefix("http://")
    assert read_profiles().get("default").api_key == "k"
    assert read_profiles().get(host).refresh_token == "r1"
    assert gridloom("--url", nobody.url, "auth", "status")[0] == 0


def test_the_status_tells_who_is_signed_in_and_how(nobody, gridloom):
    gridloom("--url", nobody.url, "auth")
    shown = gridloom("auth", "status")[1]
    assert "ada@example.org" in shown
    assert "sign-in" in shown
    assert "r1" not in gridloom("auth", "status", "--json")[1]


def test_a_session_that_is_over_is_told_and_a_new_one_begun(nobody, gridloom):
    write_profiles(read_profiles().having("default", Profile(url=nobody.url, refresh_token="old")))
    nobody.answers["POST", "/v1/auth/oauth2/token"] = [
        (400, {"error": "invalid_grant"}),
        (400, {"error": "invalid_grant"}),
        TOKENS,
    ]
    code, _, err = gridloom("auth", "status")
    assert (code, err) == (1, f"error: {nobody.url} does not take your credential; sign in: gridloom auth\n")
    assert gridloom("auth")[0] == 0
    assert read_profiles().get("default").refresh_token == "r1"


def test_signing_out_ends_the_session_and_forgets_it(nobody, gridloom):
    gridloom("--url", nobody.url, "auth")
    nobody.answers["POST", "/v1/auth/signout"] = {"ok": True}
    assert gridloom("auth", "logout")[1] == f"signed out of {nobody.url}\n"
    assert len(nobody.bodies("POST", "/v1/auth/signout")) == 1
    assert read_profiles().get("default") == Profile(url=nobody.url)


def test_an_api_key_is_not_signed_out(fabric, gridloom):
    code, _, err = gridloom("auth", "logout")
    assert code == 1
    assert "gridloom key revoke" in err


def test_a_fabric_that_is_away_is_no_reason_to_sign_in(gridloom):
    assert gridloom("--url", "http://127.0.0.1:9", "auth")[0] == 3


def test_a_refused_device_is_told(nobody, gridloom):
    nobody.answers["POST", "/v1/auth/oauth2/token"] = (
        400,
        {"error": "access_denied", "error_description": "the sign-in was refused"},
    )
    code, _, err = gridloom("--url", nobody.url, "auth", "--device")
    assert code == 1
    assert err.splitlines()[-1] == "error: the sign-in was refused"
    assert read_profiles().by_name == {}
