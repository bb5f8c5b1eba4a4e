"""Tests of the data folder."""

import json
import os
import stat

import pytest

from cli.data_dir import (
    current_dir,
    default_dir,
    prepare,
    read_credentials,
    refresh_url,
    remember,
    secrets,
    write_private,
)
from gridloom.errors import SetupFailed


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_default_follows_xdg_and_the_variable(monkeypatch, tmp_path):
    assert default_dir() == tmp_path / "home/data/gridloom"
    monkeypatch.setenv("GRIDLOOM_DATA_DIR", "/elsewhere")
    assert str(default_dir()) == "/elsewhere"


def test_a_folder_is_made_private_and_locked_once(tmp_path):
    folder = tmp_path / "a/b"
    with prepare(folder):
        assert mode(folder) == 0o700
        with pytest.raises(SetupFailed, match=rf"{folder} is in use .*process {os.getpid()}"):
            prepare(folder)
    prepare(folder).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SetupFailed, match="file/data"):
        prepare(tmp_path / "file/data")


def test_secrets_are_made_once_and_private(tmp_path):
    made = secrets(tmp_path)
    assert made == secrets(tmp_path)
    assert made["secret_key"] != made["join_token"]
    assert min(len(it) for it in made.values()) >= 32
    assert mode(tmp_path / "secret.json") == 0o600


def test_credentials_follow_the_url(tmp_path):
    assert read_credentials(tmp_path) == {}
    refresh_url(tmp_path, "http://new")
    write_private(tmp_path / "credentials.json", '{"url": "http://old", "apiKey": "k", "userName": "admin"}')
    refresh_url(tmp_path, "http://new")
    assert read_credentials(tmp_path) == {"url": "http://new", "apiKey": "k"}
    assert json.loads((tmp_path / "credentials.json").read_text())["userName"] == "admin"
    assert mode(tmp_path / "credentials.json") == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}'])
@pytest.mark.parametrize("name", ["credentials.json", "secret.json"])
def test_a_damaged_file_is_named(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(SetupFailed, match=name):
        (secrets if name == "secret.json" else read_credentials)(tmp_path)


def test_the_last_fabric_is_the_current_one_as_long_as_it_is_there(tmp_path):
    assert current_dir() == default_dir()
    remember(tmp_path)
    assert current_dir() == default_dir()
    (tmp_path / "credentials.json").touch()
    assert current_dir() == tmp_path
