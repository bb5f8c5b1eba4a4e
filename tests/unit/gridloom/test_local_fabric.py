"""Tests of where the local fabric's data and credentials are found."""

import json
import stat

import pytest

from gridloom.errors import SetupFailed
from gridloom.local_fabric import current_dir, default_dir, read_credentials, refresh_url, remember
from gridloom.private_files import write_private


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.delenv("GRIDLOOM_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home/data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/state"))


def test_the_default_follows_xdg_and_the_variable(monkeypatch, tmp_path):
    assert default_dir() == tmp_path / "home/data/gridloom"
    monkeypatch.setenv("GRIDLOOM_DATA_DIR", "/elsewhere")
    assert str(default_dir()) == "/elsewhere"


def test_credentials_follow_the_url(tmp_path):
    assert read_credentials(tmp_path) == {}
    refresh_url(tmp_path, "http://new")
    write_private(tmp_path / "credentials.json", '{"url": "http://old", "apiKey": "k", "userName": "admin"}')
    refresh_url(tmp_path, "http://new")
    assert read_credentials(tmp_path) == {"url": "http://new", "apiKey": "k"}
    assert json.loads((tmp_path / "credentials.json").read_text())["userName"] == "admin"
    assert mode(tmp_path / "credentials.json") == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "credentials.json").write_text(text)
    with pytest.raises(SetupFailed, match=r"credentials\.json"):
        read_credentials(tmp_path)


def test_the_last_fabric_is_the_current_one_as_long_as_it_is_there(tmp_path):
    assert current_dir() == default_dir()
    remember(tmp_path)
    assert current_dir() == default_dir()
    (tmp_path / "credentials.json").touch()
    assert current_dir() == tmp_path
