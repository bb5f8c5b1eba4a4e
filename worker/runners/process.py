"""The runner without isolation: a script is a plain process of the worker's own user."""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from worker.collect import remove_tree
from worker.runners.agent_link import AGENT, AgentOptions, arguments, socket_pair
from worker.runners.agent_slot import AgentSlot
from worker.runners.cgroups import Cgroup, Cgroups
from worker.runners.interpreters import base_python
from worker.runners.process_home import ProcessHome, Startup, greet
from worker.runners.protocol import (
    Capabilities,
    Ended,
    Execution,
    Grounds,
    ImageHad,
    ImageWanted,
    OutputSink,
    Slot,
    SlotFacts,
    SlotKey,
)


class ProcessSlot(AgentSlot):
    """A slot whose scripts each get a temporary folder of their own."""

    def run(self, execution: Execution, sink: OutputSink) -> Ended:
        """Run the script to its end and leave no process of it behind; raises as any slot does."""
        scratch = self.folder / "tmp"
        scratch.mkdir()
        own = {"HOME": str(scratch), "TMPDIR": str(scratch)}
        try:
            return super().run(dataclasses.replace(execution, env={**own, **execution.env}), sink)
        finally:
            try:
                scratch.rmdir()
            except OSError:
                remove_tree(scratch)


class ProcessRunner:
    """Opens slots whose scripts see all that the worker sees."""

    def __init__(
        self, grounds: Grounds, *, python: str | None = None, cgroups: Cgroups | None = None
    ) -> None:
        self._grounds = grounds
        self._python = python or base_python()
        self._cgroups = cgroups
        self._numbers = count()
        self.capabilities = Capabilities(
            name="process", isolation="none", memory_by_cgroup=cgroups is not None
        )

    def have_image(self, wanted: ImageWanted, go_on: Callable[[], bool]) -> ImageHad:  # noqa: ARG002
        """Return nothing: scripts see this machine's own programs, whatever image they name."""
        return ImageHad()

    def open_slot(self, key: SlotKey) -> Slot:
        """Open a slot.

        Raises:
            RunnerFailed: when the agent or its cgroup can't be had.
        """
        folder = self._grounds.slots / f"process-{os.getpid()}-{next(self._numbers)}"
        folder.mkdir()
        cgroup = None
        try:
            cgroup = None if self._cgroups is None else self._cgroups.create()
            return self._start(key, folder, cgroup)
        except BaseException:
            if cgroup is not None:
                cgroup.remove()
            remove_tree(folder)
            raise

    def sweep(self) -> None:
        """Nothing outlives its slot: an agent ends with its worker."""

    def close(self) -> None:
        """Nothing is held beyond the slots, which are closed by who opened them."""

    def _start(self, key: SlotKey, folder: Path, cgroup: Cgroup | None) -> Slot:
        options = AgentOptions(scratch_mib=0, nested=False, confined=False)
        path = os.environ.get("PATH", os.defpath)
        env = {"PATH": path, "LANG": "C.UTF-8", "OMP_NUM_THREADS": str(max(1, int(key.cores)))}
        ours, theirs = socket_pair()
        with contextlib.closing(theirs):
            fd = theirs.fileno()
            startup = Startup([self._python, *arguments(str(AGENT), f"fd:{fd}", options)], env=env, fds=[fd])
        home = ProcessHome(startup.process, folder, cgroup, os.geteuid())
        link = greet(ours, startup, home, joins=cgroup)
        facts = SlotFacts(isolation="none", python=link.hello.python)
        return ProcessSlot(link, home, facts, uid=None, python=self._python)
