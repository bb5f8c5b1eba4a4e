"""Tests of the demo around its job; the job itself runs in the acceptance tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.demo import _fresh_folder
from gridloom.errors import SetupFailed

ROOT = Path(__file__).parents[3]


def test_the_result_gets_a_fresh_folder_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [_fresh_folder(None).name for _ in range(2)] == ["gridloom-demo-result", "gridloom-demo-result-2"]


def test_a_chosen_folder_is_made(tmp_path):
    assert _fresh_folder(tmp_path / "a/b") == tmp_path / "a/b"
    assert (tmp_path / "a/b").is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SetupFailed, match="file/x"):
        _fresh_folder(tmp_path / "file/x")


def test_a_fabric_that_does_not_start_shows_its_log_and_leaves_nothing(tmp_path):
    fake = tmp_path / "fakes/api"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "__main__.py").write_text("raise SystemExit('error: no database')")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = os.environ | {"PYTHONPATH": f"{fake.parent}{os.pathsep}{ROOT}", "TMPDIR": str(temporary)}
    command = [sys.executable, "-P", "-m", "cli.main", "demo", "--output", tmp_path / "out"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "[api] error: no database" in ended.stderr
    assert ended.stderr.endswith("error: the fabric did not start\n")
    assert list(temporary.iterdir()) == []
