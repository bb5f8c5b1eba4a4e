"""Unit tests of the runner without isolation, beyond what its slots do."""

import os
from pathlib import Path

from worker.runners.process import ProcessRunner, sweep_scratch


def test_it_says_that_it_isolates_nothing(runner):
    assert (runner.capabilities.name, runner.capabilities.isolation) == ("process", "none")


def test_closing_removes_the_temporary_folder():
    runner = ProcessRunner()
    folder: Path = runner._scratch
    (folder / "left").mkdir()
    runner.close()
    assert not folder.exists()


def test_temporary_folders_of_killed_workers_are_swept(tmp_path):
    (tmp_path / "gridloom-tmp-999999999-abc" / "deep").mkdir(parents=True)
    (tmp_path / f"gridloom-tmp-{os.getpid()}-abc").mkdir()
    (tmp_path / "gridloom-tmp-other-abc").mkdir()
    sweep_scratch(tmp_path)
    assert {it.name for it in tmp_path.iterdir()} == {
        f"gridloom-tmp-{os.getpid()}-abc",
        "gridloom-tmp-other-abc",
    }
