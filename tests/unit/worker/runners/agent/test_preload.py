"""Unit tests of importing ahead: harmless modules come in, all others stay out, whatever they do."""

import dataclasses
import json
import subprocess
import sys
import time

import pytest

from tests.fixtures.slots import KEY, Stage
from worker.runners.agent_link import AGENT

DAEMON = """
import os, time
pid = os.fork()
if pid == 0:
    if os.fork() == 0: os.setsid(); time.sleep(60)
    os._exit(0)
os.waitpid(pid, 0)
"""
HARMFUL = {
    "thread": (
        "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "thread",
    ),
    "bare_thread": (
        "import _thread, time; _thread.start_new_thread(time.sleep, (9,)); time.sleep(0.05)",
        "thread",
    ),
    "sock": ("import socket; it = socket.socket()", "opens socket:"),
    "file": ("it = open(__file__)", "file.py"),
    "pipe": ("import os; it = os.pipe()", "opens pipe:"),
    "epoll": ("import select; it = select.epoll()", "opens anon_inode:"),
    "environ": ("import os; os.environ['NEW'] = 'x'", "environment"),
    "cwd": ("import os; os.chdir('/tmp')", "working directory"),
    "mask": ("import os; os.umask(0)", "umask"),
    "handler": ("import signal; signal.signal(signal.SIGUSR1, print)", "signal handlers"),
    "handler_in_c": ("import faulthandler; faulthandler.enable()", "signal handlers"),
    "blocked": ("import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [10])", "signal handlers"),
    "exits": ("import os; os._exit(3)", "ends the process"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "ends the process"),
    "killed": ("import os; os.kill(os.getpid(), 9)", "ends the process"),
    "stdout": ("print('hello')", "prints"),
    "stderr": ("import sys; sys.stderr.write('hello')", "prints"),
    "printed_in_c": ("import ctypes; ctypes.CDLL(None).puts(b'hello')", "prints"),
    "printed_below": ("import os; os.write(1, b'hello')", "prints"),
    "much": ("print('x' * 1_000_000)", "prints"),
    "child": ("import os, time\nif os.fork() == 0: time.sleep(60)", "process"),
    "daemon": (DAEMON, "process"),
}
FAILING = {
    "raises": ("raise ValueError('no\\n\\nway')", "ValueError: no way"),
    "leaves": ("raise SystemExit(3)", "SystemExit: 3"),
    "interrupted": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "broken": ("def (:", "SyntaxError"),
    "unspeakable": ("class Odd(Exception):\n    def __str__(self): raise self\nraise Odd", "Odd"),
    "nul": ("raise ValueError('a\\0b\\ud800')", "ValueError: a b?"),
    "missing": ("import no_such_thing", "ModuleNotFoundError"),
}
PACKAGE = {
    "pack/__init__.py": "",
    "pack/good.py": "",
    "pack/bad.py": "import os; os.environ['NEW'] = 'x'",
    "pack/uses.py": "import pack.bad",
    "pack/tries.py": "try: import pack.bad\nexcept ImportError: pass",
    "pack/far.py": "import pack.tries",
    "hangs.py": "import time; time.sleep(60)",
    "\u00e9t\u00e9.py": "",
}
HOLDER = """
import json, os, sys
agent, modules, within_s, names = json.loads(sys.argv[1])
sys.path[:0] = [agent, modules]
from agent.forks import fork
from agent.preload import preload
trials = []
def counted(live):
    trials.append(live)
    return fork(live)
before = dict(os.environ), os.getcwd(), len(os.listdir("/proc/self/fd"))
verdicts = preload(names, counted, within_s)
after = dict(os.environ), os.getcwd(), len(os.listdir("/proc/self/fd"))
try:
    os.waitpid(-1, os.WNOHANG)
    children = True
except ChildProcessError:
    children = False
loaded = [name for name, _ in verdicts if name in sys.modules]
json.dump([verdicts, loaded, before == after and not children, len(trials)], sys.stdout)
"""


@pytest.fixture(scope="module")
def ahead(tmp_path_factory):
    """Import names ahead in a process of its own; tells why not by name, what is loaded then, and in how many trials."""
    folder = tmp_path_factory.mktemp("modules")
    codes = {f"{name}.py": code for name, (code, _) in {**HARMFUL, **FAILING}.items()}
    for name, code in {**codes, **PACKAGE}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code)

    def run(*names: str, within_s: float = 20) -> tuple[dict[str, str], list[str], int]:
        asked = json.dumps([str(AGENT.parent), str(folder), within_s, names])
        done = subprocess.run(
            [sys.executable, "-c", HOLDER, asked], capture_output=True, check=True, timeout=60
        )
        verdicts, loaded, clean, trials = json.loads(done.stdout)
        assert clean
        assert [name for name, _ in verdicts] == [*names]
        return dict(verdicts), loaded, trials

    return run


@pytest.fixture(scope="module")
def all_at_once(ahead):
    return ahead(*HARMFUL, "wave", *FAILING, "colorsys")


@pytest.mark.parametrize("name", HARMFUL)
def test_a_module_that_does_harm_stays_out(all_at_once, name):
    verdicts, loaded, _ = all_at_once
    assert HARMFUL[name][1] in verdicts[name]
    assert name not in loaded


@pytest.mark.parametrize("name", FAILING)
def test_a_module_that_fails_is_told_as_the_error_it_raises(all_at_once, name):
    verdicts, loaded, _ = all_at_once
    assert verdicts[name].startswith(FAILING[name][1])
    assert name not in loaded


def test_harmless_modules_come_in_all_the_same(all_at_once):
    verdicts, loaded, trials = all_at_once
    assert (verdicts["wave"], verdicts["colorsys"], loaded) == ("", "", ["wave", "colorsys"])
    assert trials == len(HARMFUL) + 1


def test_what_needs_a_harmful_module_stays_out_too(ahead):
    verdicts, loaded, _ = ahead("pack", "pack.bad", "pack.uses", "pack.good", "pack.tries", "pack.far")
    assert loaded == ["pack", "pack.good"]
    assert "environment" in verdicts["pack.bad"]
    assert verdicts["pack.uses"] == verdicts["pack.tries"] == "it imports pack.bad"
    assert "it imports pack." in verdicts["pack.far"]


def test_a_package_that_does_harm_keeps_its_modules_out(ahead):
    assert ahead("thread", "thread.inner")[1] == []


def test_a_module_that_hangs_ends_with_the_time_there_is(ahead):
    started = time.monotonic()
    verdicts, loaded, _ = ahead("wave", "hangs", "colorsys", within_s=0.5)
    assert time.monotonic() - started < 5
    assert loaded == ["wave"]
    assert verdicts["hangs"] == "its import takes too long"
    assert verdicts["colorsys"] == "no time was left"


def test_odd_names_are_refused_or_imported_as_they_are(ahead):
    odd = ("\u00e9t\u00e9", "a\nb", "+0", "..", "a b", "=", "\udc80", "wave", "wave", "os", "x" * 5000)
    verdicts, loaded, _ = ahead(*odd)
    assert {*loaded} == {"\u00e9t\u00e9", "wave", "os"}
    assert all(verdicts[name] for name in odd if name not in loaded)
    assert not any("\n" in why for why in verdicts.values())


def test_thousands_of_names_are_tried_at_once(ahead):
    names = [f"nothing{number}" for number in range(2000)]
    verdicts, loaded, trials = ahead(*names, "wave")
    assert (loaded, trials) == (["wave"], 1)
    assert verdicts["nothing1999"] == "ModuleNotFoundError: No module named 'nothing1999'"


def test_nothing_is_tried_without_time(ahead):
    assert ahead("wave", "os", within_s=0) == ({"wave": "no time was left", "os": ""}, ["os"], 0)


def test_a_module_that_prints_still_does_so_in_tasks(stage):
    done = stage.slot.preload(["this", "wave"])
    assert (done.imported, done.refused) == (("wave",), {"this": "it prints"})
    assert stage.say("import this").startswith("The Zen of Python")


def test_names_arrive_and_return_as_they_are(stage):
    done = stage.slot.preload(["\u00e9t\u00e9", "wave", "a\nb"])
    assert (done.imported, {*done.refused}) == (("wave",), {"\u00e9t\u00e9", "a\nb"})
    assert stage.say("import sys; print('wave' in sys.modules)") == "True\n"


def test_a_library_whose_threads_know_how_to_fork_comes_in(runner):
    slot = runner.open_slot(dataclasses.replace(KEY, cores=2))
    stage = Stage(slot)
    if stage.run("import numpy", name="main.py").succeeded:
        done = slot.preload(["numpy", "numpy.random"])
        assert (done.imported, done.refused) == (("numpy", "numpy.random"), {})
        assert stage.say("import numpy; a = numpy.ones((300, 300)); print((a @ a).sum())") == "27000000.0\n"
    slot.close()
