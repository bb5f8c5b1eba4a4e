"""The data folder of `gridloom up`: its lock, its secrets, and how commands find its credentials."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from gridloom.errors import SetupFailed

CREDENTIALS = "credentials.json"


def default_dir() -> Path:
    """Return where `gridloom up` keeps its data unless told otherwise: GRIDLOOM_DATA_DIR, else the XDG place."""
    named = os.environ.get("GRIDLOOM_DATA_DIR")
    return Path(named) if named else _xdg("XDG_DATA_HOME", ".local/share")


def current_dir() -> Path:
    """Return the data folder whose credentials commands use: the one that this user's `gridloom up` last ran on."""
    if not os.environ.get("GRIDLOOM_DATA_DIR"):
        try:
            noted = Path(_note().read_text().strip())
        except FileNotFoundError:
            return default_dir()
        if (noted / CREDENTIALS).is_file():
            return noted
    return default_dir()


def remember(folder: Path) -> None:
    """Make `folder` the one that `current_dir` returns."""
    _note().parent.mkdir(parents=True, exist_ok=True)
    write_private(_note(), f"{folder}\n")


def read_credentials(folder: Path) -> Mapping[str, str]:
    """Return `url` and `apiKey` of the fabric in `folder`, nothing when it has none.

    Raises:
        SetupFailed: when the file is there but can't be used.
    """
    path = folder / CREDENTIALS
    try:
        found = json.loads(path.read_text())
        return {"url": str(found["url"]), "apiKey": str(found["apiKey"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SetupFailed(f"{path} can't be used: {error}") from error


def refresh_url(folder: Path, url: str) -> None:
    """Write the fabric's present URL into its credentials; the file is made at the first start only."""
    path = folder / CREDENTIALS
    if not path.is_file():
        return
    known = json.loads(path.read_text())
    if known.get("url") != url:
        write_private(path, json.dumps(known | {"url": url}) + "\n")


def prepare(folder: Path) -> IO[str]:
    """Make the folder and lock it; it is locked until the returned file is closed or this process ends.

    Raises:
        SetupFailed: when it can't be used or another process has it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise SetupFailed(f"can't use {folder} as data folder: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise SetupFailed(f"{folder} is in use by another gridloom up (process {holder})") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def secrets(folder: Path) -> Mapping[str, str]:
    """Return `secret_key` and `join_token` of the folder; the first call makes them."""
    path = folder / "secret.json"
    if not path.exists():
        made = {"secret_key": os.urandom(32).hex(), "join_token": os.urandom(32).hex()}
        write_private(path, json.dumps(made) + "\n")
    try:
        found = json.loads(path.read_text())
        return {name: str(found[name]) for name in ("secret_key", "join_token")}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SetupFailed(f"{path} can't be used: {error}") from error


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only this user can read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _xdg(variable: str, below_home: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / below_home) / "gridloom"


def _note() -> Path:
    return _xdg("XDG_STATE_HOME", ".local/state") / "data-dir"
