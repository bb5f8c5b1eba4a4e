"""What all containers of a worker are shown, as copies that every user may read and the daemon can see.

The fabric's own folders may be private to the worker's user, or, where the worker itself runs in a container, unknown
to the daemon; a worker's scratch folder is neither.
"""

import shutil
import threading
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode

from worker.collect import remove_tree
from worker.runners.agent_link import AGENT
from worker.runners.docker.seccomp import profile
from worker.runners.interpreters import base_python
from worker.runners.portable import PortablePython, build


class Assets:
    """Each made when it is first needed, in a folder of this worker's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._agent: Path | None = None
        self._python: PortablePython | None = None

    def agent(self) -> Path:
        """Return the folder of the agent's program."""
        with self._lock:
            if self._agent is None:
                folder = self._folder / AGENT.name
                remove_tree(folder)
                make(folder)
                for source in AGENT.glob("*.py"):
                    shutil.copyfile(source, folder / source.name)
                # Spares the images that have the same Python as this worker 15 ms of each start.
                compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
                for path in folder.rglob("*"):
                    path.chmod(0o755 if path.is_dir() else 0o644)
                self._agent = folder
            return self._agent

    def python(self) -> PortablePython:
        """Return the portable interpreter.

        Raises:
            RunnerFailed: when it can't be made.
        """
        with self._lock:
            if self._python is None:
                make(self._folder)
                self._python = build(self._folder / "python", base_python(), AGENT)
            return self._python

    def seccomp(self) -> Path:
        """Return the file of the seccomp profile."""
        path = self._folder / "seccomp.json"
        with self._lock:
            make(self._folder)
            path.write_text(profile())
        return path


def make(folder: Path) -> None:
    """Make a folder that every user may enter, if it is not there yet."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    folder.chmod(0o755)
