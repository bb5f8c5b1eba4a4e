"""Choosing the runner that a worker starts with."""

import os

from gridloom.errors import SetupFailed
from worker.runners.bubblewrap import BubblewrapRunner
from worker.runners.cgroups import Cgroups
from worker.runners.mock import MockRunner
from worker.runners.process import ProcessRunner
from worker.runners.protocol import Runner

NAMES = ("auto", "bubblewrap", "process", "mock")


def choose_runner(name: str, *, loopback: bool, python: str = "") -> tuple[Runner, str | None]:
    """Return the runner of that name, and a warning for the operator when there is one.

    `auto` takes bubblewrap where it works, else the plain process; the latter only when the fabric is reached from
    this machine alone, since it keeps nobody's code from anything. `python` runs .py scripts; empty means the
    interpreter that this process's environment was made from.

    Raises:
        SetupFailed: when the name is unknown, or what it asks for does not work here.
    """
    if python and not os.access(python, os.X_OK):
        raise SetupFailed(f"GRIDLOOM_PYTHON: {python} is not a program")
    interpreter = python or None
    if name == "mock":
        return MockRunner(), None
    if name == "process":
        return ProcessRunner(python=interpreter, cgroups=Cgroups.detect()), None
    if name not in NAMES:
        raise SetupFailed(f"there is no runner {name!r}; choose one of {', '.join(NAMES)}")
    cgroups = Cgroups.detect()
    sandbox = BubblewrapRunner(python=interpreter, cgroups=cgroups)
    reason = sandbox.probe()
    if reason is None:
        return sandbox, None
    if name == "bubblewrap":
        raise SetupFailed(f"bubblewrap does not work here: {reason}")
    if not loopback:
        raise SetupFailed(
            f"bubblewrap does not work here ({reason}), and without isolation Gridloom listens on this machine only: "
            "make it work, choose --runner process, or use --host 127.0.0.1"
        )
    return ProcessRunner(python=interpreter, cgroups=cgroups), (
        f"NO ISOLATION: bubblewrap does not work here ({reason}), so tasks run as plain processes of this user, "
        "who can read and change all that it can; run only code that you trust"
    )
