"""Running a Python script in a process that was forked for it, as if the interpreter had been started on it."""

from __future__ import annotations

import builtins
import gc
import io
import os
import sys
import time
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType

from .ending import FAILED, end, exit_code, report, without_own_frame
from .told import Told

TYPE_CHECKING = False
if TYPE_CHECKING:  # every slot would pay for the module
    from typing import NoReturn

BASELINE: set[str] = set()

REHEARSAL = """
import os, sys
def words(text="to be or not to be", **more):
    return {word: [len(word), float(len(word))] for word in text.split()}
class Place:
    def __init__(self, name):
        self.name = name
with open(os.path.join("/dev", Place("null").name), "r+") as file:
    file.write(f"{words()} {file.read()}")
    print("x", file=file)
try:
    os.environ["no such thing"]
except KeyError as error:
    str(error).encode()
"""


def remember_baseline() -> None:
    """Note the modules that every script finds loaded."""
    BASELINE.update(sys.modules)


def rehearse() -> None:
    """Go through a script's motions once: the memory that they touch is copied from the agent's before the task is
    there, not while it runs."""
    exec(compile(REHEARSAL, "", "exec", dont_inherit=True), {"__builtins__": builtins, "__name__": ""})
    for fd in range(3):
        stream(fd, "utf-8", "strict", at_once=False)
    os.path.realpath(__file__)
    gc.collect()


def run_script(path: str, env: dict[bytes, bytes], component: str, told: Told) -> NoReturn:
    """Run a script as `__main__`, with `env` as its environment; ends this process.

    At the end the modules that it imported from outside its component are told, unless the script ends the process by
    itself.
    """
    process = os.getpid()
    set_up(path, env)
    status = execute(path)
    forked_by_script = os.getpid() != process
    end(status, BASELINE, component, None if forked_by_script else told)


def set_up(path: str, env: dict[bytes, bytes]) -> None:
    """Give the process the environment, arguments, streams and random numbers of a fresh one."""
    os.environb.clear()
    os.environb.update(env)
    time.tzset()
    sys.argv[:] = [path]
    if hasattr(sys, "orig_argv"):  # since Python 3.10
        sys.orig_argv[:] = [sys.executable, path]
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    at_once = bool(env.get(b"PYTHONUNBUFFERED"))
    like = sys.stdout  # the agent's own, opened by the interpreter under the same locale
    encoding, errors = like.encoding, like.errors or "strict"
    for name, it in (
        ("stdin", stream(0, encoding, errors, at_once=False)),
        ("stdout", stream(1, encoding, errors, at_once=at_once)),
        ("stderr", stream(2, encoding, "backslashreplace", at_once=at_once)),
    ):
        setattr(sys, name, it)
        setattr(sys, f"__{name}__", it)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:  # its global generator was copied by the fork; Python's own reseeds itself
        numpy.seed()
    gc.enable()


def stream(fd: int, encoding: str, errors: str, *, at_once: bool) -> io.TextIOWrapper:
    """Return a text stream as the interpreter opens it: stderr by lines, the others by blocks."""
    raw = io.FileIO(fd, "wb" if fd else "rb", closefd=False)
    raw.name = ("<stdin>", "<stdout>", "<stderr>")[fd]
    buffer = io.BufferedReader(raw) if fd == 0 else raw if at_once else io.BufferedWriter(raw)
    text = io.TextIOWrapper(
        buffer, encoding=encoding, errors=errors, newline="\n", line_buffering=fd == 2, write_through=at_once
    )
    text.mode = "w" if fd else "r"  # type: ignore[misc]  # as the interpreter itself does
    return text


def execute(path: str) -> int:
    """Run the file's code in a fresh `__main__`; return the exit code."""
    main = ModuleType("__main__")
    main.__dict__.update(
        __file__=path, __builtins__=builtins, __cached__=None, __loader__=SourceFileLoader("__main__", path)
    )
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    code = compiled(path)
    failures: list[
        BaseException
    ] = []  # emptied again: this frame must hold nothing that is to end with the script
    try:
        exec(code, main.__dict__)
    except BaseException as error:
        failures.append(error)
    # Looked at beyond the `except`: like the interpreter, which handles no exception while it shows one.
    if not failures:
        return 0
    if isinstance(failures[0], SystemExit):
        return exit_code(failures.pop())
    return report(without_own_frame(failures.pop()))


def compiled(path: str) -> CodeType:
    """Return a script's code; what can't be compiled is left to a fresh interpreter, which says why in its own way."""
    try:
        with open(path, "rb") as file:
            return compile(file.read(), path, "exec", dont_inherit=True)
    except BaseException as error:
        try:
            os.execv(sys.executable, [sys.executable, path])
        except (OSError, ValueError, TypeError):
            report(error.with_traceback(None))
            os._exit(FAILED)
