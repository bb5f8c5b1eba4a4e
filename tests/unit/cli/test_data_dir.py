"""Tests of the data folder."""

import os
import stat

import pytest

from cli.data_dir import prepare, secrets
from gridloom.errors import SetupFailed


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


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


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "secret.json").write_text(text)
    with pytest.raises(SetupFailed, match=r"secret\.json"):
        secrets(tmp_path)
