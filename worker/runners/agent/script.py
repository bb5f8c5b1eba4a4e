"""Running a Python script in a process that was forked for it, as if the interpreter had been started on it."""

import atexit
import builtins
import gc
import io
import os
import sys
import time

NUL = b"\0"
FRESH = 1  # exit code of an uncaught exception
TELL_BYTES = 60_000
BASELINE = set()


def remember_baseline():
    """Note the modules that every script finds loaded."""
    BASELINE.update(sys.modules)


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


def rehearse():
    """Go through a script's motions once: the memory that they touch is copied from the agent's before the task is
    there, not while it runs."""
    exec(compile(REHEARSAL, "", "exec", dont_inherit=True), {"__builtins__": builtins, "__name__": ""})
    open(0, closefd=False)
    stream(1, "utf-8", "strict", False)
    gc.collect()


def run_script(path, env, component, tell):
    """Run a script as `__main__`, with `env` as its environment; ends this process.

    At the end the modules that it imported are written to `tell`, unless the script ends the process by itself.
    """
    set_up(path, env)
    status = execute(path)
    threads = sys.modules.get("threading")
    try:
        if threads is not None:
            threads._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    tell_modules(component, tell)
    let_go()
    os._exit(flush(status))


def set_up(path, env):
    """Give the process the environment, arguments, streams and random numbers of a fresh one."""
    os.environb.clear()
    os.environb.update(env)
    time.tzset()
    sys.argv[:] = [path]
    sys.path.insert(0, os.path.dirname(path))
    at_once = bool(env.get(b"PYTHONUNBUFFERED"))
    like = sys.stdout  # the agent's own, opened by the interpreter under the same locale
    sys.stdin = sys.__stdin__ = open(0, encoding=like.encoding, errors=like.errors, closefd=False)
    sys.stdout = sys.__stdout__ = stream(1, like.encoding, like.errors, at_once)
    sys.stderr = sys.__stderr__ = stream(2, like.encoding, "backslashreplace", at_once)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:  # its global generator was copied by the fork; Python's own reseeds itself
        numpy.seed()
    gc.enable()


def stream(fd, encoding, errors, at_once):
    """Return a text stream as the interpreter opens it: stderr by lines, stdout by blocks."""
    raw = io.FileIO(fd, "wb", closefd=False)
    buffer = raw if at_once else io.BufferedWriter(raw)
    text = io.TextIOWrapper(
        buffer, encoding=encoding, errors=errors, line_buffering=fd == 2, write_through=at_once
    )
    text.mode = "w"
    return text


def execute(path):
    """Run the file's code in a fresh `__main__`; return the exit code."""
    main = type(sys)("__main__")
    main.__dict__.update(__file__=path, __builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = main
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    except BaseException:
        kind, error, _ = sys.exc_info()
        sys.excepthook(kind, error.with_traceback(None), None)
        return FRESH
    try:
        exec(code, main.__dict__)
    except SystemExit as error:
        return exit_code(error.code)
    except BaseException:
        kind, error, trace = sys.exc_info()
        sys.excepthook(kind, error.with_traceback(trace.tb_next), trace.tb_next)
        return FRESH
    return 0


def exit_code(code):
    """Return what the interpreter makes of `sys.exit(code)`."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write("%s\n" % (code,))
    return FRESH


def tell_modules(component, tell):
    """Write the names of the modules that were imported from outside the component, in their order."""
    names = []
    for name, module in list(sys.modules.items()):
        if name in BASELINE or name == "__main__":
            continue
        origin = getattr(module, "__file__", None)
        if getattr(module, "__spec__", None) is None or (origin or "").startswith(component):
            continue
        names.append(name)
    told = b"M" + NUL.join(os.fsencode(it) for it in names)
    try:
        os.write(tell, told[:TELL_BYTES].rpartition(NUL)[0] if len(told) > TELL_BYTES else told)
    except OSError:
        return


def let_go():
    """Let the script's objects end as at an interpreter's exit: what they hold open is written and closed.

    What was imported before the fork is frozen out of this collection, so that it is cheap.
    """
    sys.modules.pop("__main__", None)
    for name in ("last_type", "last_value", "last_traceback"):
        if hasattr(sys, name):
            delattr(sys, name)
    gc.collect()
    for it in gc.get_objects():
        if type(it) is io.TextIOWrapper and not it.closed and it.writable():
            flush_one(it)
    for it in gc.get_objects():
        if type(it) is io.BufferedWriter and not it.closed:
            flush_one(it)


def flush_one(file):
    """Write out what a file that nobody closed still holds."""
    try:
        file.flush()
    except (OSError, ValueError) as error:
        sys.stderr.write("%s: %s\n" % (type(error).__name__, error))


def flush(status):
    """Flush the standard streams; return the exit code, 120 where that failed, as the interpreter does."""
    for it in (sys.stdout, sys.stderr):
        try:
            it.flush()
        except (OSError, ValueError, AttributeError):
            status = status or 120
    return status
