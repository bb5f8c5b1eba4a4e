"""The data folder of `gridloom up`: its lock and its secrets."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from gridloom.errors import SetupFailed
from gridloom.private_files import write_private


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
