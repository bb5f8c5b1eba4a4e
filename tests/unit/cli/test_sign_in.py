"""Tests of how a way to sign in, and a place for the session, are chosen."""

import pytest

from cli import sign_in
from gridloom.errors import SetupFailed
from gridloom.profiles import Profile, Profiles, write_profiles


@pytest.mark.parametrize(
    ("env", "browser", "headless"),
    [
        ({}, True, True),
        ({"DISPLAY": ":0"}, True, False),
        ({"WAYLAND_DISPLAY": "w"}, True, False),
        ({"DISPLAY": ":0"}, False, True),
        ({"BROWSER": "x"}, False, False),
    ],
)
def test_a_browser_needs_a_display(monkeypatch, env, browser, headless):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(sign_in, "has_browser", lambda: browser)
    assert sign_in.is_headless() is headless


def test_elsewhere_than_on_linux_a_browser_is_enough(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(sign_in, "has_browser", lambda: True)
    assert not sign_in.is_headless()


def test_the_place_is_what_is_said_else_what_is_known(monkeypatch):
    with pytest.raises(SetupFailed, match="say --url"):
        sign_in.place_of("", "")
    assert sign_in.place_of("http://a/", "") == ("http://a", "default")
    profiles = Profiles().having("default", Profile(url="http://a")).having("b", Profile(url="http://b"))
    write_profiles(profiles)
    assert sign_in.place_of("", "") == ("http://a", "default")
    assert sign_in.place_of("", "b") == ("http://b", "b")
    assert sign_in.place_of("http://b", "") == ("http://b", "b")
    assert sign_in.place_of("http://c:1", "") == ("http://c:1", "c:1")
    assert sign_in.place_of("http://c", "new") == ("http://c", "new")
    monkeypatch.setenv("GRIDLOOM_PROFILE", "b")
    assert sign_in.place_of("", "") == ("http://b", "b")
