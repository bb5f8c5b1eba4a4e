"""Which interpreter runs an entrypoint: it follows the file's extension."""

import os
import shutil
import sys
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What runs a script: its interpreter, to be found in the PATH that the script has, or the script itself."""

    argv: tuple[str, ...]
    is_python: bool


@cache
def base_python() -> str:
    """Return the interpreter below this virtual environment: a script gets a plain Python, not the fabric's own."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = Path(sys.base_prefix, "bin", version)
    return str(own) if own.exists() else shutil.which("python3") or sys.executable


def command_for(script: Path) -> Command:
    """Return the command that runs a script.

    Raises:
        AttemptFailed: when no interpreter is known for it.
    """
    if not script.suffix:
        if not os.access(script, os.X_OK):
            raise AttemptFailed(
                EndReason.BAD_COMPONENT, f"{script.name} has no extension and is not executable"
            )
        return Command(argv=(str(script),), is_python=False)
    name = INTERPRETERS.get(script.suffix)
    if name is None:
        known = ", ".join(INTERPRETERS)
        raise AttemptFailed(
            EndReason.BAD_COMPONENT, f"{script.name}: no interpreter for {script.suffix}; known are {known}"
        )
    return Command(argv=(name, str(script)), is_python=script.suffix == ".py")
