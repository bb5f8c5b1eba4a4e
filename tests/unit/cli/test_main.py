"""Tests of the command line as a whole: help, errors, exit codes, where the fabric is found."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gridloom.local_fabric import remember
from gridloom.version import VERSION
from tests.unit.cli.conftest import KEY

ROOT = Path(__file__).parents[3]
COMMANDS = [
    *("up", "api", "scheduler", "worker", "demo", "version"),
    *(f"{kind} {verb}" for kind in ("app", "engine") for verb in ("new", "push", "activate", "deactivate", "get", "list", "status")),
    *(f"template {verb}" for verb in ("new", "push", "get", "list")),
    *(f"job {verb}" for verb in ("create", "run", "watch", "get", "list", "results", "logs", "abort", "delete")),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_sentence_and_an_example(gridloom, command):
    code, out, _ = gridloom(*command.split(), "--help")
    assert code == 0
    assert re.search(r"^  [A-Z][^\n]*(\n  [^\n]+)*[.]$", out, re.MULTILINE)
    assert f"gridloom {command}" in out.split("Example:")[1]
    assert "--json" in out or command in ("api", "scheduler", "worker")


def test_help_documents_the_exit_codes(gridloom):
    _, out, _ = gridloom("--help")
    assert re.findall(r"^    (\d+) ", out, re.MULTILINE) == ["0", "1", "2", "3", "130"]


def test_the_version_is_printed(gridloom):
    assert gridloom("version") == (0, f"{VERSION}\n", "")
    assert gridloom("--version") == (0, f"{VERSION}\n", "")
    assert json.loads(gridloom("version", "--json")[1]) == {"version": VERSION}


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["job", "run"], ["job", "run", "t", "--nonsense"], ["up", "--port", "x"]]
)
def test_wrong_usage_is_one_line_and_exit_code_2(gridloom, arguments):
    code, out, err = gridloom(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err)


def test_a_group_without_a_command_shows_its_help(gridloom):
    code, _, err = gridloom("job")
    assert code == 2
    assert "Commands:" in err


def test_an_unknown_fabric_is_told_with_what_to_do(gridloom):
    code, _, err = gridloom("job", "list")
    assert code == 1
    assert "gridloom up" in err


def test_a_fabric_that_is_away_gives_exit_code_3(gridloom, monkeypatch):
    monkeypatch.setenv("GRIDLOOM_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GRIDLOOM_API_KEY", "k")
    code, _, err = gridloom("job", "watch", "x")
    assert code == 3
    assert re.fullmatch("error: cannot reach http://127.0.0.1:9: [^\n]+\n", err)


def test_credentials_of_the_last_up_are_found(fabric, gridloom, monkeypatch, tmp_path):
    monkeypatch.delenv("GRIDLOOM_URL")
    monkeypatch.delenv("GRIDLOOM_API_KEY")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "credentials.json").write_text(json.dumps({"url": fabric.url, "apiKey": KEY}))
    remember(folder)
    assert gridloom("app", "list")[0] == 0


def test_a_local_key_is_not_sent_to_another_url(fabric, gridloom, monkeypatch, tmp_path):
    monkeypatch.delenv("GRIDLOOM_URL")
    monkeypatch.delenv("GRIDLOOM_API_KEY")
    monkeypatch.setenv("GRIDLOOM_DATA_DIR", str(tmp_path))
    (tmp_path / "credentials.json").write_text('{"url": "http://127.0.0.1:1", "apiKey": "secret"}')
    code, _, err = gridloom("--url", fabric.url, "app", "list")
    assert code == 1
    assert "GRIDLOOM_API_KEY" in err
    assert fabric.calls == []


def test_options_come_before_the_environment(fabric, gridloom):
    code, _, err = gridloom("--api-key", "wrong", "app", "list")
    assert (code, err) == (1, "error: unknown API key\n")


def test_help_loads_nothing_heavy():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, cli.main; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {"httpx", "rich", "pydantic", "stamina", "sqlalchemy", "structlog"}.isdisjoint(loaded)
