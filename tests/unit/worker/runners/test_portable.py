"""Unit tests of the interpreter that is carried into images without one."""

import os
import stat
import subprocess

import pytest

from gridloom.errors import RunnerFailed
from worker.runners.agent_link import AGENT
from worker.runners.interpreters import base_python
from worker.runners.portable import build

SAY = "import sys, ctypes, runpy, select; print(sys.prefix, len(sys.path), sys.flags.utf8_mode)"


@pytest.fixture(scope="module")
def portable(tmp_path_factory):
    return build(tmp_path_factory.mktemp("portable") / "python", base_python(), AGENT)


def test_the_copy_starts_with_itself_as_its_home(portable):
    argv = [*portable.argv(str(portable.folder)), "-c", SAY]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, env={}).stdout
    assert said.split()[0] == str(portable.folder)
    assert said.split()[2] == "1"


def test_the_copy_maps_no_library_of_this_machine(portable):
    code = "import ctypes, socket, select, resource; print(open('/proc/self/maps').read())"
    argv = [*portable.argv(str(portable.folder)), "-c", code]
    maps = subprocess.run(argv, capture_output=True, text=True, check=True, env={}).stdout
    mapped = {line.split(None, 5)[5].strip() for line in maps.splitlines() if ".so" in line}
    assert mapped
    assert {it for it in mapped if not it.startswith(str(portable.folder))} == set()


def test_the_copy_holds_all_that_the_agent_imports(portable):
    names = [f"{AGENT.name}.{it.stem}" for it in AGENT.glob("*.py") if it.stem != "__main__"]
    code = f"import sys; sys.path.insert(0, {str(AGENT.parent)!r}); import {', '.join(names)}"
    argv = [*portable.argv(str(portable.folder)), "-B", "-c", code]
    subprocess.run(argv, check=True, env={})


def test_every_user_may_read_the_copy(portable):
    for path in (portable.folder, *portable.folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == 0o755 if path.is_dir() else mode in {0o644, 0o755}, path


def test_a_second_copy_replaces_what_an_earlier_one_left(tmp_path):
    (tmp_path / "python").mkdir()
    (tmp_path / "python/rubbish").touch()
    build(tmp_path / "python", base_python(), AGENT)
    assert not (tmp_path / "python/rubbish").exists()


def test_it_is_shown_under_any_path(portable):
    argv = portable.argv("/elsewhere")
    assert all(it.startswith(("/elsewhere/", "-")) or it == "utf8" for it in argv)


@pytest.mark.parametrize("code", ["echo broken >&2; exit 1", "echo nonsense"])
def test_an_interpreter_that_is_none_is_named(tmp_path, code):
    fake = tmp_path / "python3"
    fake.write_text(f"#!/bin/sh\n{code}\n")
    fake.chmod(0o755)
    with pytest.raises(RunnerFailed, match="python3 can't be copied"):
        build(tmp_path / "copy", str(fake), AGENT)


def test_an_interpreter_that_is_missing_is_named(tmp_path):
    with pytest.raises(RunnerFailed, match="can't be copied"):
        build(tmp_path / "copy", os.fspath(tmp_path / "python9"), AGENT)
