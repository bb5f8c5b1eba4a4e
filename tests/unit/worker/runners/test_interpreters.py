"""Unit tests of the choice of interpreters."""

import subprocess
import sys
from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason
from worker.runners.interpreters import base_python, command_for


@pytest.mark.parametrize(
    ("name", "interpreter"),
    [
        ("main.sh", "sh"),
        ("a.js", "node"),
        ("a.rb", "ruby"),
        ("a.pl", "perl"),
        ("a.R", "Rscript"),
        ("a.jl", "julia"),
        ("a.py", "python3"),
    ],
)
def test_the_extension_names_the_interpreter(name, interpreter):
    command = command_for(Path("/x", name))
    assert command.argv == (interpreter, f"/x/{name}")
    assert command.is_python is name.endswith(".py")


def test_the_base_interpreter_is_no_virtual_environments():
    say = "import sys; print(sys.prefix == sys.base_prefix, sys.version_info[:2] == tuple(map(int, sys.argv[1:])))"
    version = [str(part) for part in sys.version_info[:2]]
    done = subprocess.run([base_python(), "-c", say, *version], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


def test_a_program_runs_itself(tmp_path):
    program = tmp_path / "main"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(AttemptFailed, match="not executable"):
        command_for(program)
    program.chmod(0o755)
    assert command_for(program).argv == (str(program),)


def test_an_unknown_extension_is_named(tmp_path):
    with pytest.raises(AttemptFailed, match=r"\.txt") as failure:
        command_for(tmp_path / "main.txt")
    assert failure.value.reason is EndReason.BAD_COMPONENT
