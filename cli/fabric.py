"""`gridloom up`, and the commands that run one of its processes alone."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from gridloom.local_fabric import default_dir

Runner = Literal["auto", "docker", "bubblewrap", "process", "mock"]


DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of all that the fabric owns.",
        envvar="GRIDLOOM_DATA_DIR",
        show_default="~/.local/share/gridloom",
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen on.", envvar="GRIDLOOM_HOST")]
Port = Annotated[
    int,
    typer.Option(help="Port to listen on; 0 takes a free one.", envvar="GRIDLOOM_PORT", min=0, max=65535),
]
BehindProxy = Annotated[
    bool,
    typer.Option(
        help="A proxy in front ends TLS: listen on an address that others can reach.",
        envvar="GRIDLOOM_BEHIND_PROXY",
    ),
]
Slots = Annotated[
    int,
    typer.Option(help="Tasks of one core at a time; 0: the machine's cores.", envvar="GRIDLOOM_SLOTS", min=0),
]


def up(  # noqa: PLR0913 (one for each option)
    data_dir: DataDir = None,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    behind_proxy: BehindProxy = False,
    slots: Slots = 0,
    runner: Annotated[Runner, typer.Option(help="How scripts run.", envvar="GRIDLOOM_RUNNER")] = "auto",
    database_url: Annotated[
        str, typer.Option(help="Instead of SQLite in the data folder.", envvar="GRIDLOOM_DATABASE_URL")
    ] = "",
    broker_url: Annotated[
        str, typer.Option(help="Instead of the embedded broker.", envvar="GRIDLOOM_BROKER_URL")
    ] = "",
    remembered: Annotated[
        bool,
        typer.Option(
            "--remember/--no-remember", help="Let commands use this fabric when nothing else is configured."
        ),
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document when it is ready.")
    ] = False,
) -> None:
    """Run the whole fabric in the foreground until Ctrl-C or SIGTERM, which stop it within 10 seconds.

    Example: gridloom up --data-dir ~/gridloom --port 8080
    """
    settings = {
        "DATA_DIR": str((data_dir or default_dir()).expanduser().absolute()),
        "HOST": host,
        "PORT": str(port),
        "BEHIND_PROXY": "true" if behind_proxy else "",
        "SLOTS": str(slots),
        "RUNNER": runner,
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
    }
    for name in ("DATABASE_URL", "BROKER_URL", "BEHIND_PROXY"):
        os.environ.pop(f"GRIDLOOM_{name}", None)
    os.environ.update({f"GRIDLOOM_{name}": value for name, value in settings.items() if value})
    # A fresh interpreter: the supervisor stays, what the command line loaded does not.
    flags = [*(["--json"] if as_json else []), *([] if remembered else ["--no-remember"])]
    _become("cli.up", *flags)


def api() -> None:
    """Run the control plane alone, configured by GRIDLOOM_* variables.

    Example: GRIDLOOM_PORT=8080 gridloom api
    """
    _become("api")


def scheduler() -> None:
    """Run the scheduler alone, configured by GRIDLOOM_* variables.

    Example: GRIDLOOM_BROKER_URL=redis://broker:6379/0 gridloom scheduler
    """
    _become("scheduler")


def worker() -> None:
    """Run a worker alone, configured by GRIDLOOM_* variables.

    Example: GRIDLOOM_CONTROL_URL=http://control:8080 gridloom worker
    """
    _become("worker")


def _become(module: str, *arguments: str) -> NoReturn:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])
