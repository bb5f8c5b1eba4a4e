"""The file of master keys that a fabric on this machine keeps beside its data; only the control plane is told of it."""

from pathlib import Path

from gridloom.errors import SetupFailed
from gridloom.master_keys import new_master_key, parse_master_keys
from gridloom.private_files import write_private

FILE = "master.key"


def master_key_file(folder: Path) -> Path:
    """Return the file of a data folder; the first call makes it, with one key."""
    path = folder / FILE
    if not path.exists():
        write_private(path, f"{new_master_key()}\n")
    return path


def add_master_key(path: Path) -> str:
    """Put a new key before the others and return its id; a running control plane seals with it from now on.

    The older keys are needed until the rotation that should follow has sealed everything anew.

    Raises:
        SetupFailed: when the file can't be used.
    """
    try:
        known = path.read_text()
        parse_master_keys(known, str(path))
        entry = new_master_key()
        write_private(path, f"{entry}\n{known}")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupFailed(f"{path} can't be used: {error}") from error
    return entry.partition(":")[0]
