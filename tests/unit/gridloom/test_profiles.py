"""Tests of profiles."""

import json
import stat

import pytest

from gridloom.errors import SetupFailed
from gridloom.profiles import Profile, Profiles, config_file, read_profiles, try_lock, write_profiles


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_profiles_are_kept_private_and_come_back():
    profiles = Profiles().having("a", Profile(url="http://a", api_key="k"))
    profiles = profiles.having("b", Profile(url="http://b", refresh_token="r"))
    write_profiles(profiles)
    assert read_profiles() == profiles
    assert stat.S_IMODE(config_file().stat().st_mode) == 0o600
    assert json.loads(config_file().read_text()) == {
        "current": "a",
        "profiles": {"a": {"url": "http://a", "apiKey": "k"}, "b": {"url": "http://b", "refreshToken": "r"}},
    }


def test_profiles_are_switched_and_removed():
    profiles = Profiles().having("a", Profile(url="http://a")).having("b", Profile(url="http://b"))
    assert profiles.switched("b").current == "b"
    assert profiles.without("a") == Profiles(by_name={"b": Profile(url="http://b")})
    for change in (profiles.switched, profiles.without, profiles.get):
        with pytest.raises(SetupFailed, match="no profile 'c'; known are a, b"):
            change("c")


def test_no_file_is_no_profile():
    assert read_profiles() == Profiles()


@pytest.mark.parametrize("text", ["", "[]", '{"profiles": {"a": 1}}'])
def test_a_damaged_file_is_named(text):
    config_file().parent.mkdir(parents=True)
    config_file().write_text(text)
    with pytest.raises(SetupFailed, match=r"config\.json can't be used"):
        read_profiles()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "config").touch()
    with pytest.raises(SetupFailed, match="can't write"):
        write_profiles(Profiles())


def test_one_process_at_a_time_has_the_lock():
    first = try_lock()
    assert first is not None
    assert try_lock() is None
    first.close()
    again = try_lock()
    assert again is not None
    again.close()


def test_a_place_without_a_lock_is_named(tmp_path):
    (tmp_path / "config").touch()
    with pytest.raises(SetupFailed, match="can't write"):
        try_lock()


def test_a_session_comes_back_with_its_token():
    profile = Profile(url="http://a", refresh_token="r", access_token="t", access_until=1795340334.5)
    write_profiles(Profiles().having("a", profile))
    assert read_profiles().get("a") == profile
    assert repr(profile) == "Profile(url='http://a', access_until=1795340334.5)"
