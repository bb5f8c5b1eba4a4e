"""Unit tests of the choice of interpreters."""

import subprocess
import sys
from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason
from worker.runners.interpreters import base_python, command_for


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "node", "ruby", "perl", "Rscript", "julia"):
        (folder / name).write_text("")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("name", "interpreter"),
    [
        ("main.sh", "sh"),
        ("a.js", "node"),
        ("a.rb", "ruby"),
        ("a.pl", "perl"),
        ("a.R", "Rscript"),
        ("a.jl", "julia"),
    ],
)
def test_the_extension_names_the_interpreter(path, name, interpreter):
    assert command_for(Path("/x", name), python="/py", path=path) == (f"{path}/{interpreter}", f"/x/{name}")


def test_a_python_script_gets_the_configured_interpreter(path):
    assert command_for(Path("/x/main.py"), python="/py", path=path) == ("/py", "/x/main.py")


def test_the_base_interpreter_is_no_virtual_environments():
    say = "import sys; print(sys.prefix == sys.base_prefix, sys.version_info[:2] == tuple(map(int, sys.argv[1:])))"
    version = [str(part) for part in sys.version_info[:2]]
    done = subprocess.run([base_python(), "-c", say, *version], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


def test_a_program_runs_itself(tmp_path):
    program = tmp_path / "main"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(AttemptFailed, match="not executable"):
        command_for(program, python="/py", path="")
    program.chmod(0o755)
    assert command_for(program, python="/py", path="") == (str(program),)


@pytest.mark.parametrize(("name", "what"), [("main.rb", "ruby"), ("main.txt", ".txt")])
def test_what_is_not_to_be_had_is_named(tmp_path, name, what):
    with pytest.raises(AttemptFailed, match=what) as failure:
        command_for(tmp_path / name, python="/py", path=str(tmp_path))
    assert failure.value.reason is EndReason.BAD_COMPONENT
