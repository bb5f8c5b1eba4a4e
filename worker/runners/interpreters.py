"""Which interpreter runs an entrypoint: it follows the file's extension."""

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason

INTERPRETERS = {
    ".py": "python3",
    ".sh": "sh",
    ".js": "node",
    ".rb": "ruby",
    ".pl": "perl",
    ".R": "Rscript",
    ".jl": "julia",
}


@cache
def base_python() -> str:
    """Return the interpreter below this virtual environment: a script gets a plain Python, not the fabric's own."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = Path(sys.base_prefix, "bin", version)
    return str(own) if own.exists() else shutil.which("python3") or sys.executable


def command_for(script: Path, *, python: str, path: str) -> tuple[str, ...]:
    """Return the command that runs a script, with its interpreter looked up in the folders of `path`.

    Raises:
        AttemptFailed: when no interpreter is known for it, or it is not to be had here.
    """
    if not script.suffix:
        if not os.access(script, os.X_OK):
            raise AttemptFailed(
                EndReason.BAD_COMPONENT, f"{script.name} has no extension and is not executable"
            )
        return (str(script),)
    name = INTERPRETERS.get(script.suffix)
    if name is None:
        known = ", ".join(INTERPRETERS)
        raise AttemptFailed(
            EndReason.BAD_COMPONENT, f"{script.name}: no interpreter for {script.suffix}; known are {known}"
        )
    found = python if name == "python3" else _which(name, path)
    if found is None:
        raise AttemptFailed(
            EndReason.BAD_COMPONENT,
            f"{script.name} needs the interpreter {name}, which this worker does not have",
        )
    return (found, str(script))


@cache
def _which(name: str, path: str) -> str | None:
    return shutil.which(name, path=path)
