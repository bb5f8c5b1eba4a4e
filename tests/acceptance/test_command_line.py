"""The `gridloom` command in processes of its own, from a new app to its result; and the demo."""

import json
import os
import subprocess
import sys

import pytest

from tests.fixtures.commands import Commands
from tests.fixtures.live_fabric import ROOT


@pytest.fixture
def gridloom(fabric, tmp_path):
    """Return what runs one command and gives what it printed."""
    return Commands(tmp_path, {"GRIDLOOM_URL": fabric.url, "GRIDLOOM_API_KEY": fabric.api_key})


def test_a_new_app_is_pushed_and_run_in_one_command_each(gridloom, tmp_path):
    (tmp_path / "notes.txt").write_text("warp and weft\n")
    gridloom("app", "new", "shout")
    gridloom("app", "push", "shout")
    refusal = gridloom("job", "run", "shout-template", "--input", "notes.txt", code=1)
    assert "shout" in refusal
    assert len(refusal.splitlines()) == 1
    gridloom("app", "activate", "shout")
    command = ["job", "run", "shout-template", "--wait", "--input", "notes.txt", "--output", "result"]
    said = gridloom(*command, "--param", "app.case=upper")
    assert said.splitlines()[-1] == "Complete"
    assert "Result: result" in said.splitlines()
    assert [it.name for it in (tmp_path / "result").iterdir()] == ["shout_processed.txt"]
    assert (tmp_path / "result/shout_processed.txt").read_text() == "WARP AND WEFT\n"
    job_id = said.split()[1]
    job = json.loads(gridloom("job", "get", job_id, "--json"))
    assert job["params"]["app"] == {"case": "upper"}
    assert "14 characters in upper case" in gridloom("job", "logs", job_id)
    assert job_id in gridloom("job", "list")
    failure = gridloom(*command, "--param", "app.case=sideways", code=1)
    assert "exit code 1" in failure.splitlines()[-1]


def test_engines_of_ones_own_and_an_abort(gridloom, tmp_path):
    (tmp_path / "notes.txt").write_text("".join(f"line {it}\n" for it in range(25)))
    for name, kind in (("cut", "partitioner"), ("join", "assembler")):
        gridloom("engine", "new", name, "--type", kind)
        gridloom("engine", "push", name)
        gridloom("engine", "activate", name)
    gridloom("app", "new", "whisper")
    gridloom("app", "push", "whisper")
    gridloom("app", "activate", "whisper")
    template = {"id": "cut-and-join", "app": "whisper", "partitioner": "cut", "assembler": "join"}
    (tmp_path / "template.json").write_text(json.dumps(template))
    gridloom("template", "push", "template.json")
    params = ["--param", "app.case=lower", "--param", "partitioner.lines=10"]
    gridloom("job", "run", "cut-and-join", "--input", "notes.txt", "--output", "result", *params)
    assert (tmp_path / "result/join.out").read_text() == (tmp_path / "notes.txt").read_text()
    (tmp_path / "whisper/app/main.py").write_text("import time\ntime.sleep(600)\n")
    gridloom("app", "push", "whisper")
    job_id = json.loads(gridloom("job", "run", "cut-and-join", "--input", "notes.txt", "--json"))["id"]
    gridloom("job", "abort", job_id, "--yes")
    ended = gridloom("job", "watch", job_id, code=1)
    assert "was aborted" in ended


@pytest.mark.timeout(240)
def test_the_demo_counts_the_words_of_the_standard_library_and_leaves_nothing(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLOOM_")}
    command = [sys.executable, "-P", "-m", "cli.main", "demo", "--output", str(tmp_path / "report")]
    ended = subprocess.run(
        command,
        env=env | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=220,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "Complete"
    assert f"Result: {tmp_path / 'report'}" in ended.stdout.splitlines()
    assert (tmp_path / "report/report.txt").stat().st_size > 100
    assert not list(tmp_path.glob("gridloom-demo-*"))
