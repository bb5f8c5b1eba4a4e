"""Unit tests of the agent as a program: what it may be written in, where it runs, and that nothing outlives it."""

import ast
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.slots import KEY, Stage, gone
from worker.runners.agent_link import AGENT
from worker.runners.process import ProcessRunner

#: Every slot pays for what the agent imports; what a plain interpreter loads anyway costs nothing.
AFFORDABLE = {
    *(
        "__future__",
        "atexit",
        "builtins",
        "collections",
        "ctypes",
        "errno",
        "functools",
        "gc",
        "importlib",
        "io",
    ),
    *("itertools", "mmap", "os", "resource", "select", "signal", "socket", "struct", "sys", "time", "types"),
}
OTHERS = sorted(
    path
    for path in Path(sys.base_prefix).parent.glob("*/bin/python3.*")
    if path.name.removeprefix("python3.").isdigit() and int(path.name.removeprefix("python3.")) >= 8
)
HOLDER = """
import sys
from pathlib import Path
from tests.fixtures.slots import make_grounds
from worker.runners.process import ProcessRunner
from worker.runners.protocol import Execution, SlotKey

class Nowhere:
    def write(self, stream, data): pass

script = Path(sys.argv[1])
slot = ProcessRunner(make_grounds(script.parent / "worker")).open_slot(SlotKey(owner=""))
slot.run(Execution(label="x", component=script.parent, script=script, env={}, folders=()), Nowhere())
"""
SCRIPT = "echo $PPID > agent.new; mv agent.new agent\n(setsid sleep 60 & echo $! > daemon.new; mv daemon.new daemon)\nsleep 60\n"
VARIED = """
import atexit, json, os, sys, threading
atexit.register(print, "at exit")
threading.Timer(0.01, lambda: print("in a thread")).start()
print(json.dumps(sys.version_info[1]))
left = open("left", "w")
left.write("written late")
raise KeyError("what")
"""


@pytest.mark.parametrize("path", sorted(AGENT.glob("*.py")), ids=lambda path: path.stem)
def test_it_is_written_in_python_3_8_and_imports_what_costs_little(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = set()
    tree.body = [
        it for it in tree.body if not (isinstance(it, ast.If) and ast.unparse(it.test) == "TYPE_CHECKING")
    ]
    for it in ast.walk(tree):
        if isinstance(it, ast.Import):
            imported |= {name.name.partition(".")[0] for name in it.names}
        elif isinstance(it, ast.ImportFrom) and it.level == 0:
            imported.add(it.module.partition(".")[0])
    assert imported <= AFFORDABLE


def test_no_module_of_it_is_loaded_while_a_script_runs():
    for path in AGENT.glob("*.py"):
        functions = [it for it in ast.walk(ast.parse(path.read_text())) if isinstance(it, ast.FunctionDef)]
        inner = [it for function in functions for it in ast.walk(function)]
        assert not [it for it in inner if isinstance(it, ast.Import | ast.ImportFrom)], path


@pytest.mark.parametrize("python", OTHERS, ids=lambda path: path.name)
def test_it_runs_on_every_interpreter_from_3_8_on(grounds, python):
    with contextlib.closing(ProcessRunner(grounds, python=str(python)).open_slot(KEY)) as slot:
        stage = Stage(slot)
        for _ in range(2):
            ended = stage.run(VARIED, name="main.py")
            said, *rest = stage.heard.stdout.decode().splitlines()
            assert (ended.exit_code, ended.message) == (1, "exit code 1: KeyError: 'what'")
            assert (rest, python.name.removeprefix("python3.")) == (["in a thread", "at exit"], said)
            assert (stage.folder / "left").read_text() == "written late"
            assert "json" in ended.modules
        assert slot.preload(["json", "no_such"]).imported == ("json",)
        assert stage.say("import json; print(json)").startswith("<module 'json'")


def test_a_killed_worker_takes_agent_script_and_daemons_along(tmp_path):
    script = tmp_path / "main.sh"
    script.write_text(SCRIPT)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(script)], cwd=Path(__file__).parents[4])
    deadline = time.monotonic() + 20
    while not (tmp_path / "daemon").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pids = [int((tmp_path / name).read_text()) for name in ("agent", "daemon")]
    holder.kill()
    holder.wait()
    assert [gone(pid) for pid in pids] == [True, True]
