"""Tests of the command line as a whole: help, errors, exit codes, where the fabric is found."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cli.catalog import COMMANDS as COMMANDS_BY_NAME
from cli.main import app
from gridloom.local_fabric import remember
from gridloom.version import VERSION
from tests.unit.cli.conftest import KEY

ROOT = Path(__file__).parents[3]
ALONE = ("api", "scheduler", "worker")  # these become another program


HEAVY = {"httpx", "rich", "pydantic", "stamina", "sqlalchemy", "structlog", "cryptography", "asyncio"}


def loaded_by(*arguments):
    """Return the modules that a command loads."""
    program = "import sys, cli.main; cli.main.run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr.split()


def commands(group, path=()):
    """Yield the words of every command below a group."""
    if not isinstance(group, TyperGroup):
        yield " ".join(path)
        return
    for name in group.list_commands(None):
        yield from commands(group.get_command(None, name), (*path, name))


COMMANDS = sorted(commands(get_command(app)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_sentence_and_an_example(gridloom, command):
    code, out, _ = gridloom(*command.split(), "--help")
    assert code == 0
    assert re.search(r"^  [A-Z][^\n]*(\n  [^\n]+)*[.]$", out, re.MULTILINE)
    verb = re.escape(command).replace(r"\ ", r"\s+")
    assert re.search(rf"gridloom (--url \S+ )?{verb}\b", out.split("Example:")[1])
    assert "--json" in out or command in ALONE


def test_every_command_of_the_contract_is_there():
    kinds = [
        "new",
        "push",
        "pull",
        "get",
        "list",
        "activate",
        "deactivate",
        "status",
        "publish",
        "unpublish",
        "import",
        "delete",
    ]
    wanted = {f"{kind} {verb}" for kind in ("app", "engine") for verb in kinds}
    wanted |= {f"template {it}" for it in kinds if it not in ("activate", "deactivate", "status")}
    assert wanted | {"version", "auth login"} <= set(COMMANDS)


def test_the_sentences_of_the_catalog_are_those_of_the_commands(gridloom):
    for name, entry in COMMANDS_BY_NAME.items():
        _, out, _ = gridloom(name, "--help")
        first = " ".join(out.split("\n\n")[1].split())
        assert first.rstrip(".").startswith(entry.help.rstrip(".")) or name == "demo", name


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


# Typer itself reads the options of a group's commands with pydantic.
@pytest.mark.parametrize(
    ("arguments", "spared"),
    [("--help", ()), ("--version", ()), ("job --help", ("pydantic",)), ("auth --help", ("pydantic",))],
)
def test_help_loads_nothing_heavy(arguments, spared):
    loaded = set(loaded_by(*arguments.split()))
    assert not HEAVY.difference(spared) & loaded


def test_help_of_all_loads_no_command():
    assert {entry.module for entry in COMMANDS_BY_NAME.values()}.isdisjoint(loaded_by("--help"))


def test_a_mistyped_command_is_answered_with_a_proposal(gridloom):
    assert gridloom("walet") == (2, "", "error: No such command 'walet'. Did you mean 'wallet'?\n")


def test_completion_can_be_installed(gridloom):
    assert "--install-completion" in gridloom("--help")[1]
    assert "--install-completion" not in gridloom("job", "--help")[1]
    assert "--install-completion" not in gridloom("version", "--help")[1]
