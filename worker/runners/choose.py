"""Choosing the runner that a worker starts with."""

import os
import socket
from importlib import import_module
from pathlib import Path
from typing import Any

from gridloom.errors import RunnerFailed, SetupFailed
from gridloom.settings import Settings
from worker.runners.bubblewrap import BubblewrapRunner
from worker.runners.cgroups import Cgroups
from worker.runners.mock import MockRunner
from worker.runners.process import ProcessRunner
from worker.runners.protocol import Grounds, Runner

DOCKER_SOCKET = "/var/run/docker.sock"
KNOCK_S = 2.0


def choose_runner(settings: Settings, grounds: Grounds, *, loopback: bool) -> tuple[Runner, str | None]:
    """Return the runner that the settings ask for, and a warning for the operator when there is one.

    `auto` takes docker where a daemon answers, else bubblewrap where it works, else the plain process; the latter only
    when the fabric is reached from this machine alone (`loopback`), since it keeps nobody's code from anything.

    Raises:
        SetupFailed: when what they ask for does not work here.
    """
    if settings.python and not os.access(settings.python, os.X_OK):
        raise SetupFailed(f"GRIDLOOM_PYTHON: {settings.python} is not a program")
    if settings.runner == "mock":
        return MockRunner(grounds), None
    if settings.runner == "process":
        return ProcessRunner(grounds, python=settings.python or None, cgroups=Cgroups.detect()), None
    warning = None
    if settings.runner == "docker" or (settings.runner == "auto" and answers(docker_url(settings))):
        try:
            return _docker(settings, grounds), None
        except RunnerFailed as error:
            if settings.runner == "docker":
                raise SetupFailed(f"docker does not work here: {error.message}") from error
            warning = f"docker does not work here ({error.message}), so tasks run in bubblewrap's sandboxes"
    runner, doubt = _sandbox(settings, grounds, loopback=loopback)
    return runner, doubt or warning


def docker_url(settings: Settings) -> str:
    """Return where the container daemon is looked for."""
    return settings.docker_url or os.environ.get("DOCKER_HOST", "") or f"unix://{DOCKER_SOCKET}"


def answers(url: str) -> bool:
    """Tell whether something listens at a daemon's unix socket and lets this user in.

    A daemon of another machine is never taken unasked: its containers could not be shown this one's folders.
    """
    path = url.removeprefix("unix://")
    if path == url or not Path(path).exists():
        return False
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(KNOCK_S)
        try:
            knock.connect(path)
        except OSError:
            return False
    return True


def _docker(settings: Settings, grounds: Grounds) -> Runner:
    """Return the docker runner; its module is loaded for those alone who use it, since the SDK takes 20 MB.

    Raises:
        RunnerFailed: when no container can be run here.
    """
    module: Any = import_module("worker.runners.docker.start")
    runner: Runner = module.start(settings, grounds, docker_url(settings))
    return runner


def _sandbox(settings: Settings, grounds: Grounds, *, loopback: bool) -> tuple[Runner, str | None]:
    cgroups, python = Cgroups.detect(), settings.python or None
    sandbox = BubblewrapRunner(grounds, python=python, cgroups=cgroups)
    reason = sandbox.probe()
    if reason is None:
        return sandbox, None
    if settings.runner == "bubblewrap":
        raise SetupFailed(f"bubblewrap does not work here: {reason}")
    if not loopback:
        raise SetupFailed(
            f"bubblewrap does not work here ({reason}), and without isolation Gridloom listens on this machine only: "
            "make it work, choose --runner process, or use --host 127.0.0.1"
        )
    return ProcessRunner(grounds, python=python, cgroups=cgroups), (
        f"NO ISOLATION: bubblewrap does not work here ({reason}), so tasks run as plain processes of this user, "
        "who can read and change all that it can; run only code that you trust"
    )
