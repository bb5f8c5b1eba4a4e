"""The end of a script, as the interpreter's own: exit codes, what uncaught exceptions print, and whatever is still open."""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType

from .told import MOST, Told

TYPE_CHECKING = False
if TYPE_CHECKING:  # every slot would pay for the module
    from typing import Any, NoReturn

NUL = b"\0"
FAILED = 1  # exit code of an uncaught exception
UNWRITTEN = 120  # exit code when the standard streams can't be flushed
INTERRUPTED = -1  # ends as by an uncaught SIGINT
LONG = 1 << 63
IO_BASE = io.TextIOWrapper.__mro__[-2]
BUFFERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
OF_C = (*BUFFERS, io.BufferedReader, io.FileIO)


def end(status: int, baseline: set[str], component: str, told: Told | None) -> NoReturn:
    """End this process as an interpreter ends whose script has come to `status`."""
    shut_down()
    status = flush(status)
    modules = imported(baseline)
    own = [name for name, facts in modules if is_of(component, facts)]
    if told is not None:
        told.tell(
            b"M", joined([name for name, facts in modules if name not in own and facts.get("__spec__")])
        )
    del modules
    let_go(own)
    status = flush(status)
    if status == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


def exit_code(ending: BaseException) -> int:
    """Return what the interpreter makes of `sys.exit(code)`."""
    code = getattr(ending, "code", None)
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -LONG <= code < LONG else 0xFF
    try:
        text = str(code)
        if sys.stderr is None:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        else:
            sys.stderr.write(text)
    except BaseException:  # whatever `__str__` does
        pass
    say("\n")
    return FAILED


def report(error: BaseException) -> int:
    """Show an uncaught exception by the script's own hook, if it has one; return the exit code."""
    kind, trace = type(error), error.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    try:
        hook = sys.excepthook
    except AttributeError:
        say("sys.excepthook is missing\n")
        hook = sys.__excepthook__
    try:
        hook(kind, error, trace)
    except SystemExit as ending:
        return exit_code(ending)
    except BaseException as second:
        show_both(without_own_frame(second), error)
    return INTERRUPTED if kind is KeyboardInterrupt else FAILED


def without_own_frame(error: BaseException) -> BaseException:
    """Return an exception as if no code of the agent's had called what raised it."""
    trace = error.__traceback__
    return error.with_traceback(trace and trace.tb_next)


def show_both(second: BaseException, first: BaseException) -> None:
    """Show what was raised while an uncaught exception was being shown, and that."""
    say("Error in sys.excepthook:\n")
    sys.__excepthook__(type(second), second, second.__traceback__)
    say("\nOriginal exception was:\n")
    sys.__excepthook__(type(first), first, first.__traceback__)


def say(text: str) -> None:
    """Write to stderr, whatever the script has put there."""
    try:
        sys.stderr.write(text)
    except BaseException:
        attempt(os.write, 2, text.encode("utf-8", "backslashreplace"))


def shut_down() -> None:
    """Wait for the script's threads, then do what it wanted done at the exit."""
    threads = sys.modules.get("threading")
    if threads is not None:
        try:
            threads._shutdown()
        except BaseException:  # an interrupt, or a module that the script has put there
            sys.__excepthook__(*sys.exc_info())
    try:
        atexit._run_exitfuncs()
    except BaseException:  # has been shown; Python 3.8 and 3.9 raise it as well
        return


def imported(baseline: set[str]) -> list[tuple[str, dict[str, object]]]:
    """Return the names and variables of the modules that the script has imported, in their order.

    They stand behind those that were there before, which must not even be looked at: that would copy their memory.
    """
    names: list[str] = []
    for name in reversed(sys.modules):
        if name in baseline:
            break
        names.append(name)
    found = []
    for name in reversed(names):
        module = sys.modules[name]
        if issubclass(type(module), ModuleType):  # some load when they are looked into in the usual way
            found.append((name, object.__getattribute__(module, "__dict__")))
    return found


def is_of(component: str, facts: dict[str, object]) -> bool:
    """Whether a module belongs to the component."""
    origin = facts.get("__file__")
    return isinstance(origin, str) and origin.startswith(component + "/")


def joined(names: list[str]) -> bytes:
    """Return names with NUL between them, as many as can be told."""
    told = bytearray()
    for name in names:
        if name.replace(".", "").isidentifier():
            word = NUL + name.encode()
            if len(told) + len(word) > MOST:
                break
            told += word
    return bytes(told[1:])


def let_go(own: list[str]) -> None:
    """Let the script's objects end as at an interpreter's exit: what they hold open is written and closed.

    What was imported before the fork is frozen out of this collection, so that it is cheap.
    """
    gc.collect()  # also puts what holds something before what it holds: texts end before the files below them
    for name in ("__main__", *own):
        sys.modules.pop(name, None)
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        sys.__dict__.pop(name, None)
    gc.collect()
    for it in gc.get_objects():
        finish(it)
    flush_files()


def flush_files() -> None:
    """Write what open files still hold back, texts before the bytes below them."""
    files = [it for it in gc.get_objects() if type(it) in BUFFERS]
    for kind in BUFFERS:
        for it in files:
            if type(it) is kind:
                attempt(it.flush)


def finish(it: object) -> None:
    """End an object that something keeps alive, such as a module from before the fork, as far as Python code would."""
    kind: Any = type(it)
    if issubclass(kind, IO_BASE):
        if kind not in OF_C:
            attempt(kind.close, it)
    elif type(getattr(kind, "__del__", None)) is FunctionType:
        attempt(kind.__del__, it)


def attempt(act: Callable[..., object], *arguments: object) -> None:
    """Do what an object does at its end; what fails there, such as with a closed file, fails without a word."""
    try:
        act(*arguments)
    except BaseException:
        return


def flush(status: int) -> int:
    """Flush the standard streams; return the exit code, which tells where that fails, and once what went wrong."""
    for it in (sys.stdout, sys.stderr):
        try:
            if it is not None and not it.closed:
                it.flush()
        except BaseException as error:  # whatever the script has put there
            if it is sys.stdout and status != UNWRITTEN:
                say(f"Exception ignored in: {it!r}\n{type(error).__name__}: {error}\n")
            status = UNWRITTEN
    return status
