"""Unit tests of how scripts end: in everything that can be seen as with an interpreter of their own."""

import re

import pytest

ENDS = {
    "nothing": "",
    "no newline": "print('x', end='')",
    "exit by text": "import sys; sys.exit('text')",
    "exit by none": "import sys; sys.exit(None)",
    "exit by true": "import sys; sys.exit(True)",
    "exit by 300": "import sys; sys.exit(300)",
    "exit by -1": "import sys; sys.exit(-1)",
    "exit by a huge number": "import sys; sys.exit(1 << 70)",
    "exit by a tuple": "import sys; sys.exit((1, 'two'))",
    "exit by what can't be shown": """
        import sys
        class Odd:
            def __str__(self): raise KeyError
        sys.exit(Odd())
    """,
    "exit by a subclass": "class Own(SystemExit): pass\nraise Own(7)",
    "exit in a function": "import sys\ndef f(): sys.exit(4)\ntry: f()\nfinally: print('cleaned')",
    "exit at once": "import os; print('lost'); os._exit(5)",
    "exit at once, flushed": "import os; print('kept', flush=True); os._exit(5)",
    "signal": "import os; print('lost'); os.kill(os.getpid(), 15)",
    "segmentation fault": "import ctypes; ctypes.string_at(0)",
    "exception": "def f(x): return 1 / x\nprint('said')\nf(0)",
    "exception of its own": "class Own(Exception): pass\nraise Own('what', 1)",
    "chained exceptions": """
        def f():
            try: {}['a']
            except KeyError as error: raise ValueError('second') from error
        try: f()
        except ValueError: raise OSError(2, 'third')
    """,
    "exception with notes": "error = ValueError('x'); error.add_note('a note'); raise error",
    "exception group": "raise ExceptionGroup('all', [ValueError(1), KeyError('b')])",
    "exception from a module": "import sibling\nsibling.fail()",
    "exception in exec": "exec('1 / 0')",
    "exception that can't be shown": "class Own(Exception):\n def __str__(self): raise ValueError\nraise Own",
    "interrupt": "raise KeyboardInterrupt",
    "interrupt by signal": "import os, time; print('said')\nos.kill(os.getpid(), 2); time.sleep(5)",
    "an interrupt of its own": "class Own(KeyboardInterrupt): pass\nraise Own",
    "generator exit": "raise GeneratorExit",
    "syntax error": "print('never')\nif True print(1)\n",
    "syntax error in a module": "import broken",
    "indentation": "if True:\n\tpass\n        pass\n",
    "return outside": "print(1)\nreturn 5\n",
    "not utf-8": b"print('\xff')\n",
    "a nul": b"print('a\0b')\n",
    "unknown encoding": b"# coding: klingon\n",
    "latin-1": b"# coding: latin-1\nprint('\xe9')\n",
    "byte order mark": b"\xef\xbb\xbfprint('bom')\n",
    "windows line ends": b"print('a')\r\nprint('''b\r\nc''')\r\n",
    "hook": "import sys\nsys.excepthook = lambda *it: print(it[0], it[1])\n1 / 0",
    "hook that raises": "import sys\ndef hook(*_): raise ValueError('in hook')\nsys.excepthook = hook\n1 / 0",
    "hook that exits": "import sys\nsys.excepthook = lambda *_: sys.exit(9)\n1 / 0",
    "no hook": "import sys\ndel sys.excepthook\n1 / 0",
    "hook sees the last exception": """
        import sys
        sys.excepthook = lambda *_: print(sys.last_type, sys.last_value, sys.exc_info())
        1 / 0
    """,
    "at exit": "import atexit\nfor n in range(3): atexit.register(print, n)\nprint('end')",
    "at exit raises": "import atexit\natexit.register(lambda: 1 / 0)\natexit.register(print, 'first')",
    "at exit exits": "import atexit, sys\natexit.register(print, 'last')\natexit.register(lambda: sys.exit(3))",
    "at exit after an exception": "import atexit\natexit.register(print, 'still')\n1 / 0",
    "thread": """
        import threading, time
        def later(): time.sleep(0.05); print('late')
        threading.Thread(target=later).start()
        print('end')
    """,
    "thread raises": "import threading\nit = threading.Thread(target=lambda: 1 / 0, name='T'); it.start(); it.join()",
    "daemon thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "thread starts a thread": """
        import threading
        def outer(): threading.Timer(0.02, print, ['inner']).start()
        threading.Timer(0.02, outer).start()
    """,
    "pool left open": """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(2)
        for n in range(3): pool.submit(print, 'x')
    """,
    "tasks of asyncio": "import asyncio\nasync def f(): await asyncio.sleep(0); return 5\nprint(asyncio.run(f()))",
    "stdout closed": "import sys; sys.stdout.close()",
    "stdout none": "import sys; sys.stdout = None; print('x')",
    "stdout replaced": "import sys, io; sys.stdout = io.StringIO(); print('x')",
    "stdout detached": "import sys; b = sys.stdout.detach(); b.write(b'x')",
    "stdout's descriptor closed": "import os; print('x'); os.close(1)",
    "all descriptors closed": "import os\nprint('x', flush=True)\nos.closerange(0, 100)\nopen('own', 'w').write('own')",
    "other files at descriptors": """
        import json, os
        os.closerange(3, 100)
        own = [open(f'own{n}', 'w') for n in range(20)]
        import colorsys, wave
        for it in own: it.write('x')
    """,
    "stderr closed": "import sys; sys.stderr.close(); sys.exit('text')",
    "stderr none": "import sys; sys.stderr = None; sys.exit('text')",
    "raised at the end": "exec('class A:\\n def __del__(self): 1 / 0')\na = A()",
    "ends in order": """
        class A:
            def __init__(self, name): self.name = name
            def __del__(self): print('del', self.name, word)
        a, b, word = A('a'), A('b'), 'word'
    """,
    "deep recursion": "def f(n): return f(n + 1)\nf(0)",
    "forked child raises": "import os\npid = os.fork()\nif pid == 0: raise KeyError('child')\nprint(os.waitpid(pid, 0)[1])",
    "forked child falls off": """
        import os, atexit, json
        atexit.register(lambda: print('exit', flush=True))
        pid = os.fork()
        if pid: print(os.waitpid(pid, 0)[1], flush=True)
    """,
    "another program": "import os; print('lost'); os.execv('/bin/sh', ['sh', '-c', 'echo instead; exit 6'])",
    "warning": "import warnings\ndef f(): warnings.warn('careful')\nf()",
    "syntax warning": "x = 1\nprint(x is 1)\n",
    "resource warning": "import warnings; warnings.simplefilter('always')\nopen('/dev/null')",
    "logging": "import logging; logging.warning('w'); logging.getLogger('x').exception('none')",
}
FILES = {
    "global": "left = open('left', 'w'); left.write('written late')",
    "beside a function": "def f(): pass\nleft = open('left', 'w'); left.write('written late')",
    "after an exception": "def f(): pass\nleft = open('left', 'w'); left.write('written late')\n1 / 0",
    "binary": "def f(): pass\nleft = open('left', 'wb'); left.write(b'written late')",
    "updated": "def f(): pass\nleft = open('left', 'w+b'); left.write(b'written late')",
    "in a closure": """
        def make():
            left = open('left', 'w')
            def write(text): left.write(text)
            return write
        write = make(); write('written late')
    """,
    "in a cycle": "left = open('left', 'w'); left.write('written late')\nx = [left]; x.append(x)",
    "in an object": """
        class Own:
            def __init__(self): self.left = open('left', 'w'); self.me = self
        own = Own(); own.left.write('written late')
    """,
    "in a module beside it": "import keeper; keeper.left.write('written late')",
    "in a module of the library": "import os; os.left = open('left', 'w'); os.left.write('written late')",
    "in builtins": "import builtins; builtins.left = open('left', 'w'); builtins.left.write('written late')",
    "gzip": """
        import gzip, io
        def f(): pass
        left = io.TextIOWrapper(gzip.GzipFile('left', 'wb', mtime=1)); left.write('late')
    """,
    "bz2": "import bz2\ndef f(): pass\nleft = bz2.open('left', 'wt'); left.write('late')",
    "zip": """
        import zipfile
        def f(): pass
        left = zipfile.ZipFile('left', 'w'); left.writestr(zipfile.ZipInfo('a'), 'late')
    """,
    "zip in a cycle": """
        import zipfile
        left = zipfile.ZipFile('left', 'w'); left.writestr(zipfile.ZipInfo('a'), 'late'); left.me = left
    """,
    "at its end": """
        class Own:
            def __init__(self): self.left = open('left', 'w')
            def __del__(self): self.left.write('written late')
        own = Own()
    """,
    "temporary": "import tempfile, os\nleft = tempfile.NamedTemporaryFile('w', dir='.'); left.write('late')",
    "database": "import sqlite3\nc = sqlite3.connect('left'); c.execute('create table t (x)'); c.commit()",
}
MODULES = {
    "sibling.py": "def fail():\n    raise LookupError('there')\n",
    "broken.py": "def (:\n",
    "keeper.py": "def f(): pass\nleft = open('left', 'w')\n",
}


def comparable(text: bytes) -> bytes:
    """Leave out addresses, and how deep a script may go: that much less as the agent's own calls lie below it."""
    return re.sub(rb"repeated \d+ more times|0x[0-9a-f]+", b"", text)


@pytest.mark.parametrize("name", ENDS)
def test_a_script_ends_as_with_an_interpreter_of_its_own(twins, name):
    files = {**MODULES, "main.py": ENDS[name]}
    ours, plain = twins.in_slot(files), twins.alone(files)
    assert [comparable(it) for it in ours[1:3]] == [comparable(it) for it in plain[1:3]]
    assert ours[0] == plain[0]
    assert ours[3] == plain[3]


@pytest.mark.parametrize("name", FILES)
def test_what_a_script_leaves_open_is_complete(twins, name):
    files = {**MODULES, "main.py": FILES[name]}
    ours, plain = twins.in_slot(files), twins.alone(files)
    assert ours == plain
