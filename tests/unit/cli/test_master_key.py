"""The file of master keys of a fabric on this machine."""

import pytest

from cli.master_key import add_master_key, master_key_file
from gridloom.errors import SetupFailed
from gridloom.master_keys import parse_master_keys


def keys(path):
    return [key.id for key in parse_master_keys(path.read_text(), "f")]


def test_the_first_start_makes_one_that_only_this_user_reads(tmp_path):
    path = master_key_file(tmp_path)
    assert path == tmp_path / "master.key"
    assert path.stat().st_mode & 0o777 == 0o600
    made = path.read_text()
    assert len(keys(path)) == 1
    assert master_key_file(tmp_path).read_text() == made


def test_a_new_key_comes_first_and_the_others_stay(tmp_path):
    path = master_key_file(tmp_path)
    (old,) = keys(path)
    new = add_master_key(path)
    assert keys(path) == [new, old]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_missing_or_broken_is_told(tmp_path):
    path = tmp_path / "master.key"
    with pytest.raises(SetupFailed, match=r"master\.key"):
        add_master_key(path)
    path.write_text("nonsense\n")
    with pytest.raises(SetupFailed, match=r"master\.key"):
        add_master_key(path)
    assert path.read_text() == "nonsense\n"
