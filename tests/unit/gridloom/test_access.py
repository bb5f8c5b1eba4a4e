"""Tests of how the fabric and its key are found, and of profiles."""

import pytest

from gridloom.access import Access, find_access, find_url
from gridloom.errors import ClientError, SetupFailed
from gridloom.profiles import Profile, Profiles, write_profiles


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("GRIDLOOM_URL", "GRIDLOOM_API_KEY", "GRIDLOOM_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRIDLOOM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "data").mkdir()


def local(tmp_path):
    (tmp_path / "data/credentials.json").write_text('{"url": "http://local:1/", "apiKey": "lk"}')


def test_arguments_come_before_variables_before_profiles_before_the_local_fabric(monkeypatch, tmp_path):
    with pytest.raises(SetupFailed, match="no fabric is known"):
        find_access()
    local(tmp_path)
    assert find_access() == Access(url="http://local:1", api_key="lk")
    write_profiles(
        Profiles()
        .having("office", Profile(url="https://office", api_key="ok"))
        .having("home", Profile(url="https://home", refresh_token="rt"))
    )
    assert find_access() == Access(url="https://office", api_key="ok", profile="office")
    monkeypatch.setenv("GRIDLOOM_PROFILE", "home")
    assert find_access().refresh_token == "rt"
    monkeypatch.setenv("GRIDLOOM_URL", "http://env")
    monkeypatch.setenv("GRIDLOOM_API_KEY", "ek")
    assert find_access() == Access(url="http://env", api_key="ek")
    assert find_access(profile="office").api_key == "ok"
    assert find_access("http://mine/", " mk ") == Access(url="http://mine", api_key="mk")


def test_a_known_key_is_not_sent_elsewhere(tmp_path):
    local(tmp_path)
    with pytest.raises(SetupFailed, match="there is no API key for http://other"):
        find_access("http://other")
    assert find_access("", "mine") == Access(url="http://local:1", api_key="mine")


def test_a_url_leads_to_the_profile_that_has_a_credential_for_it(tmp_path):
    local(tmp_path)
    profiles = Profiles().having("office", Profile(url="https://office", api_key="ok"))
    write_profiles(
        profiles.having("empty", Profile(url="https://home")).having(
            "home", Profile(url="https://home", refresh_token="rt")
        )
    )
    assert find_access("https://home/").profile == "home"
    with pytest.raises(SetupFailed, match="there is no API key for https://other"):
        find_access("https://other")
    with pytest.raises(SetupFailed, match="there is no API key"):
        find_access("https://home", profile="office")


def test_the_fabric_alone_is_found_without_a_credential(monkeypatch, tmp_path):
    with pytest.raises(SetupFailed, match="say --url"):
        find_url()
    local(tmp_path)
    assert find_url() == "http://local:1"
    write_profiles(Profiles().having("office", Profile(url="https://office")))
    assert find_url() == find_url("office") == "https://office"
    monkeypatch.setenv("GRIDLOOM_URL", "http://env")
    assert find_url() == "http://env"
    assert find_url("office") == "https://office"


@pytest.mark.parametrize("url", ["", "ftp://x", "127.0.0.1:8080", "http://", "http://[", "http://x:99999"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ClientError, match="is not a URL"):
        Access(url=url)


def test_credentials_are_not_shown():
    assert "k3y" not in repr(Access(url="http://x", api_key="k3y", refresh_token="k3y", access_token="k3y"))


def test_an_unknown_profile_is_named():
    with pytest.raises(SetupFailed, match="no profile 'x'; there is none yet"):
        find_access(profile="x")
