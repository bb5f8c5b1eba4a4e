"""Importing ahead: what tasks will import anyway is imported once, before they are forked.

Each module is first imported in a child, so that one that crashes, hangs or leaves something behind that a fork
would break — a thread, a socket, a device, a changed environment — does no harm here.
"""

import importlib
import os
import select
import signal
import sys
import time

MOST_S = 15.0
MOST_TRIALS = 5
HANDLED = ("openblas",)  # whose threads end before a fork and start again after it, by handlers of their own


def preload(names):
    """Import what can be imported without harm; return pairs of a name and why it was refused, "" where it was not."""
    deadline = time.monotonic() + MOST_S
    verdicts = {}
    for _ in range(MOST_TRIALS):
        left = [it for it in names if it not in verdicts and it not in sys.modules]
        if not left or not trial(left, verdicts, deadline):
            break
    for name in names:
        if name not in sys.modules and verdicts.get(name) == "":
            verdicts[name] = bring(name)
    return [(it, verdicts.get(it, "" if it in sys.modules else "no time was left")) for it in names]


def trial(names, verdicts, deadline):
    """Import the names one after the other in a child and note what became of each; tell whether some are left."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        rehearse(names, told)
    os.close(told)
    lines = listen(heard, deadline)
    os.close(heard)
    try:
        os.kill(child, signal.SIGKILL)
    except OSError:
        pass
    wait_for(child)
    began = ""
    for line in lines:
        mark, name, reason = line[:1], *(line[1:].partition(" ")[::2])
        if mark == "+":
            began = name
        else:
            verdicts[name], began = reason, ""
    if began:
        late = time.monotonic() >= deadline
        verdicts[began] = "its import takes too long" if late else "its import ends the process"
    return bool(began) and time.monotonic() < deadline


def rehearse(names, told):
    """In the child: import and look; never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    try:
        for name in names:
            os.write(told, b"+%s\n" % name.encode())
            before = Traces()
            reason = bring(name) or before.changed()
            os.write(told, b"=%s %s\n" % (name.encode(), reason.replace("\n", " ")[:200].encode()))
    finally:
        os._exit(0)


def bring(name):
    """Import a module; return why that failed, or ""."""
    try:
        importlib.import_module(name)
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)
    return ""


def listen(fd, deadline):
    """Return the lines that come until the end of the file or of the time."""
    data = b""
    while True:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        more = os.read(fd, 1 << 16) if ready else b""
        if not more:
            return data.decode("utf-8", "replace").splitlines()
        data += more


def wait_for(child):
    """Reap a child."""
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        return


class Traces:
    """What an import must leave as it was."""

    def __init__(self):
        self.environment = dict(os.environ)
        self.folder = os.getcwd()
        self.threads = len(os.listdir("/proc/self/task"))
        self.descriptors = descriptors()
        self.handlers = handlers()

    def changed(self):
        """Return what has changed in a way that tasks must not inherit, or ""."""
        if dict(os.environ) != self.environment:
            return "it changes the environment"
        if os.getcwd() != self.folder:
            return "it changes the working directory"
        if len(os.listdir("/proc/self/task")) > self.threads and not has_handled_threads():
            return "it starts a thread"
        for fd, target in descriptors().items():
            if self.descriptors.get(fd) != target and target.startswith(("socket:", "/dev/", "anon_inode:")):
                if target not in ("/dev/urandom", "/dev/null"):
                    return "it opens %s" % target
        if handlers() != self.handlers:
            return "it handles signals"
        return ""


def has_handled_threads():
    """Whether the only threads are those of libraries that know how to fork."""
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        return False
    with open("/proc/self/maps") as maps:
        text = maps.read()
    return any(it in text for it in HANDLED)


def descriptors():
    """Return what each descriptor of this process stands for."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            continue
    return found


def handlers():
    """Return the handlers of all signals."""
    return [signal.getsignal(number) for number in range(1, signal.NSIG)]
