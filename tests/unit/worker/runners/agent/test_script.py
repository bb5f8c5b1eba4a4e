"""Unit tests of what scripts find around them: what an interpreter of their own would show them."""

import pytest

from worker.runners.agent_link import AGENT

NAMES = sorted(it.stem for it in AGENT.glob("*.py") if not it.stem.startswith("__"))
AGENTS = ", ".join(NAMES)
SURROUNDINGS = {
    "arguments": "import sys; print(sys.argv, sys.orig_argv[1:], sys.path[0], sys.path[1:], __file__)",
    "its name": "print(__name__, __spec__, __package__, __doc__, __cached__, sorted(vars()), dir())",
    "its docstring": "'''What it is.'''\nprint(__doc__)",
    "its loader": "print(__loader__.name, __loader__.path, len(__loader__.get_source('__main__')))",
    "its module": "import sys, __main__; print(__main__, vars(__main__) is globals(), sys.modules['__main__'] is __main__)",
    "as main": "if __name__ == '__main__': print('main')",
    "annotations": "x: int = 1\nprint(__annotations__)\ndef f(a: 'b') -> None: ...\nprint(f.__annotations__)",
    "no future of the agent's": "def f(a: 1 + 1): pass\nprint(f.__annotations__)",
    "builtins": "print(type(__builtins__), quit, __import__, len(dir(__builtins__)))",
    "streams": """
        import sys
        for it in (sys.stdin, sys.stdout, sys.stderr):
            print(it, it.errors, it.newlines, it.line_buffering, it.write_through, it.isatty(), it.fileno(), it.mode)
            print(type(it.buffer), it.buffer.name, it.buffer.mode, it.buffer.raw, it.seekable(), it.buffer.raw.closefd)
        print(sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, sys.stdin is sys.__stdin__, sys.stdin.read())
    """,
    "odd letters": "import sys; print('\\u20ac\\udc80'); print('\\u20ac\\udc80', file=sys.stderr)",
    "half a pair": "print('\\ud800')",
    "bytes": "import sys; sys.stdout.buffer.write(bytes(range(256)))",
    "large output": "for n in range(1000): print('x' * n)",
    "environment": "import os; print(sorted(os.environ.items())); os.system('env | sort')",
    "locale": "import locale, sys; print(locale.getlocale(), locale.getpreferredencoding(), sys.getfilesystemencoding())",
    "time zone": "import time; print(time.tzname, time.timezone, time.localtime(0))",
    "folder": "import os; print(os.getcwd(), os.listdir(), oct(os.umask(0)))",
    "flags": "import sys; print(sys.flags, sys.warnoptions, sys._xoptions, sys.executable, sys.dont_write_bytecode)",
    "limits": "import sys, threading, gc; print(sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold(), threading.active_count())",
    "signals": """
        import signal
        print({it: signal.getsignal(it) for it in signal.valid_signals()}, signal.pthread_sigmask(signal.SIG_BLOCK, []))
        for line in open('/proc/self/status'):
            if line.startswith(('SigB', 'SigI', 'SigC', 'Umask', 'Threads')): print(line)
    """,
    "hooks": "import sys; print(sys.excepthook, sys.displayhook, len(sys.meta_path), len(sys.path_hooks), sys.gettrace())",
    "warnings": "import warnings; print(warnings.filters)",
    "threads": "import threading; print(threading.main_thread() is threading.current_thread(), threading.enumerate()[0].name)",
    "source": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f), inspect.getfile(f))",
    "pickle": """
        import pickle
        class Own:
            x = 1
        it = pickle.dumps(Own()); print(it, pickle.loads(it).x, Own, Own.__module__)
    """,
    "siblings": "import sibling, package.inner; print(sibling.__file__, package.inner.up.__name__, sibling.__cached__)",
    "relative": "from . import sibling",
    "names of the agent's modules": f"import {AGENTS}; print([it.WHOSE for it in ({AGENTS})])",
    "child": "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(5)'], capture_output=True))",
    "shell": "import os; print(os.system('exit 3'), os.popen('echo x').read())",
    "processes, forked": """
        import multiprocessing as mp
        def double(n): return 2 * n
        if __name__ == '__main__':
            with mp.get_context('fork').Pool(2) as pool: print(pool.map(double, range(4)))
    """,
    "processes, spawned": """
        import multiprocessing as mp
        def double(n): return 2 * n
        if __name__ == '__main__':
            with mp.get_context('spawn').Pool(1) as pool: print(pool.map(double, range(4)))
    """,
    "executor": """
        from concurrent.futures import ProcessPoolExecutor
        def double(n): return 2 * n
        if __name__ == '__main__':
            with ProcessPoolExecutor(1) as pool: print(list(pool.map(double, range(4))))
    """,
    "run by name": "import runpy; print(runpy.run_module('sibling', run_name='other')['__name__'])",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\nprint(A(1))",
    "named tuple": "from typing import NamedTuple\nclass A(NamedTuple):\n    x: int\nprint(A(1), A.__module__)",
    "exec": "exec('print(__name__, sorted(locals()))')",
    "unittest": """
        import unittest, sys
        class Test(unittest.TestCase):
            def test(self): self.assertEqual(1, 1)
        unittest.main(testRunner=unittest.TextTestRunner(stream=open('/dev/null', 'w')))
    """,
}
MODULES = {
    "sibling.py": "x = 1\n",
    "package/__init__.py": "",
    "package/inner.py": "from . import up\n",
    "package/up.py": "",
    **{f"{name}.py": "WHOSE = __file__\n" for name in NAMES},
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_script_finds_what_an_interpreter_would_show_it(twins, name):
    files = {**MODULES, "main.py": SURROUNDINGS[name]}
    zone = {"TZ": "Asia/Kathmandu", "WORD": "\u20ac"}
    assert twins.in_slot(files, **zone) == twins.alone(files, **zone)


def test_a_script_behind_a_link_finds_its_neighbours(stage):
    (stage.folder / "real").mkdir()
    (stage.folder / "real" / "main.py").write_text("import near, sys; print(sys.path[0], __file__)")
    (stage.folder / "real" / "near.py").write_text("")
    execution = stage.execution("", name="other.py")
    execution.script.unlink()
    execution.script.symlink_to("real/main.py")
    assert stage.slot.run(execution, stage.heard).succeeded, stage.heard.stderr
    assert stage.heard.stdout.decode() == f"{stage.folder}/real {execution.script}\n"


def test_a_script_that_is_gone_is_told_by_the_interpreter(stage):
    execution = stage.execution("", name="main.py")
    execution.script.unlink()
    ended = stage.slot.run(execution, stage.heard)
    assert ended.exit_code == 2
    assert b"No such file or directory" in stage.heard.stderr


def test_no_two_tasks_draw_the_same_random_numbers(stage):
    code = """
        import importlib.util, os, random, secrets, tempfile, uuid
        print(random.random(), secrets.token_hex(), tempfile.mktemp(), uuid.uuid4(), os.urandom(4))
        if importlib.util.find_spec("numpy"):
            import numpy
            print(numpy.random.rand(), numpy.random.default_rng().random())
    """
    stage.slot.preload(["random", "secrets", "tempfile", "uuid", "numpy", "numpy.random"])
    first, second = (stage.say(code).split() for _ in range(2))
    assert not {*first} & {*second}


def test_the_modules_that_a_script_imports_are_told_in_order_without_its_own(stage):
    (stage.folder / "near.py").write_text("import colorsys")
    code = """
        import sys, types, near, wave
        sys.modules["made"] = types.ModuleType("made")
        sys.modules[5] = sys.modules["a b"] = "no module"
    """
    ended = stage.run(code, name="main.py")
    assert ended.modules[0] == "colorsys"
    assert "wave" in ended.modules
    assert not {"near", "made", "a b", "__main__", "os"} & {*ended.modules}


def test_what_was_imported_ahead_is_not_told_again(stage):
    stage.slot.preload(["wave"])
    assert stage.run("import wave, colorsys", name="main.py").modules == ("colorsys",)


def test_no_more_modules_are_told_than_there_is_room_for(stage):
    code = """
        import sys, types, importlib.machinery
        for number in range(20_000):
            it = types.ModuleType(f"made{number}")
            it.__spec__ = importlib.machinery.ModuleSpec(it.__name__, None)
            sys.modules[it.__name__] = it
    """
    told = stage.run(code, name="main.py").modules
    assert len(told) > 5000
    assert all(name == f"made{number}" for number, name in enumerate(told[-5000:], len(told) - 5000))
