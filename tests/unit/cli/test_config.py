"""Tests of `gridloom config`."""

import json
import stat

from gridloom.profiles import Profile, config_file, read_profiles, write_profiles
from tests.unit.cli.conftest import KEY

URL = "https://fabric.test"


def test_a_profile_is_made_and_its_key_never_shown(gridloom):
    code, out, _ = gridloom("config", "set", "office", "--url", f"{URL}/", "--with-key", stdin="glk_k\n")
    assert (code, out) == (0, f"office: {URL}, API key\n")
    assert read_profiles().get("office") == Profile(url=URL, api_key="glk_k")
    assert stat.S_IMODE(config_file().stat().st_mode) == 0o600
    shown = (
        gridloom("config", "list")[1] + gridloom("config", "get")[1] + gridloom("config", "get", "--json")[1]
    )
    assert "glk_k" not in shown
    assert f"*  office  {URL}  API key" in shown


def test_a_changed_url_does_not_keep_the_key(gridloom):
    gridloom("config", "set", "office", "--url", URL, "--with-key", stdin="glk_k")
    gridloom("config", "set", "office", "--url", URL)
    assert read_profiles().get("office").api_key == "glk_k"
    gridloom("config", "set", "office", "--url", "https://other.test")
    assert read_profiles().get("office") == Profile(url="https://other.test")


def test_profiles_are_switched_and_deleted(gridloom):
    gridloom("config", "set", "office", "--url", URL)
    gridloom("config", "set", "home", "--url", "http://127.0.0.1:8080")
    assert gridloom("config", "use", "home")[1] == "home is used from now on: http://127.0.0.1:8080\n"
    assert json.loads(gridloom("config", "list", "--json")[1])["current"] == "home"
    assert gridloom("config", "delete", "home")[0] == 2
    assert gridloom("config", "delete", "home", "--yes")[0] == 0
    assert list(read_profiles().by_name) == ["office"]


def test_what_is_missing_is_told(gridloom):
    assert gridloom("config", "set", "office")[0] == 2
    assert "no current profile" in gridloom("config", "get")[2]
    assert "there is none yet" in gridloom("config", "use", "office")[2]
    assert "is not a URL" in gridloom("config", "set", "office", "--url", "nonsense")[2]
    assert gridloom("config", "list")[1] == "there is no profile yet\n"


def test_a_profile_is_used_by_name_by_variable_and_by_url(fabric, gridloom, monkeypatch):
    monkeypatch.delenv("GRIDLOOM_URL")
    monkeypatch.delenv("GRIDLOOM_API_KEY")
    profiles = read_profiles().having("wrong", Profile(url="http://127.0.0.1:9", api_key="k"))
    write_profiles(profiles.having("right", Profile(url=fabric.url, api_key=KEY)))
    assert gridloom("app", "list")[0] == 3
    assert gridloom("--profile", "right", "app", "list")[0] == 0
    assert gridloom("--url", fabric.url, "app", "list")[0] == 0
    monkeypatch.setenv("GRIDLOOM_PROFILE", "right")
    assert gridloom("app", "list")[0] == 0
    assert "no profile 'none'" in gridloom("--profile", "none", "app", "list")[2]
