"""The runner without isolation: a script is a plain process of the worker's own user."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from worker.collect import remove_tree
from worker.runners.agent_slot import AgentSlot
from worker.runners.cgroups import Cgroups
from worker.runners.interpreters import base_python, command_for
from worker.runners.launch import Launch
from worker.runners.protocol import Capabilities, Execution, Slot, SlotKey

log = structlog.get_logger(__name__)

SCRATCH = "gridloom-tmp-"


class ProcessRunner:
    """Opens slots whose scripts see all that the worker sees; each gets a temporary folder of its own."""

    def __init__(self, *, python: str | None = None, cgroups: Cgroups | None = None) -> None:
        self._python = python or base_python()
        self._cgroups = cgroups
        sweep_scratch(Path(tempfile.gettempdir()))
        self._scratch = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-"))
        self.capabilities = Capabilities(
            name="process", isolation="none", memory_by_cgroup=cgroups is not None
        )

    def open_slot(self, key: SlotKey) -> Slot:  # noqa: ARG002 - nothing here outlives a run, so any key is as good
        """Open a warm slot.

        Raises:
            RunnerFailed: when its cgroup can't be made.
        """
        cgroup = None if self._cgroups is None else self._cgroups.create()
        return AgentSlot(self, python=self._python, uid=os.geteuid(), cgroup=cgroup)

    @contextlib.contextmanager
    def prepare(self, execution: Execution) -> Iterator[Launch]:
        """Give the script its temporary folder and say how it is started.

        Raises:
            AttemptFailed: when its interpreter is not to be had.
        """
        path = os.environ.get("PATH", os.defpath)
        argv = command_for(execution.script, python=self._python, path=path)
        scratch = tempfile.mkdtemp(dir=self._scratch)
        base = {"PATH": path, "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8"}
        try:
            yield Launch(argv=argv, env={**base, **execution.env}, cwd=str(execution.script.parent))
        finally:
            try:
                Path(scratch).rmdir()
            except OSError:
                remove_tree(Path(scratch))

    def close(self) -> None:
        """Remove the temporary folder; slots are closed by who opened them."""
        remove_tree(self._scratch)


def sweep_scratch(folder: Path) -> None:
    """Remove the temporary folders of workers that were killed."""
    for path in folder.glob(f"{SCRATCH}*-*"):
        pid = path.name.removeprefix(SCRATCH).split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            try:
                remove_tree(path)
            except OSError as error:  # another user's, or another worker sweeps it too
                log.debug("scratch_not_swept", path=str(path), error=str(error))
