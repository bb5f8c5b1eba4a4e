"""What a runner is: something that opens slots, in which scripts run one at a time.

A slot is the unit that stays warm. The worker opens one for a key, runs any number of scripts in it, one after the
other, and closes it. Today's slots keep a small agent process alive; a container with a zygote is another slot
behind the same protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gridloom.states import EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of the host that the script sees under the same absolute path."""

    path: Path
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one run; `None` or 0 means the runner's own default, never "unbounded" for memory and files."""

    timeout_s: float | None = None
    memory_mib: int = 0
    processes: int = 0
    file_mib: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of one script.

    `script` is the entrypoint; the working directory is its folder and the interpreter follows its extension.
    `env` is the whole environment besides PATH, HOME, TMPDIR, LANG, which the runner sets. `folders` are all that the
    script may see of the host besides the read-only system. `label` names the attempt in leftovers and messages.
    """

    label: str
    script: Path
    env: Mapping[str, str]
    folders: tuple[Folder, ...]
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: `reason` is None for exit code 0. CPU seconds and peak memory cover the whole process tree
    as far as the kernel tells (rusage of waited-for children)."""

    reason: EndReason | None
    exit_code: int | None
    signal: int | None
    message: str
    started_at: datetime
    ended_at: datetime
    cpu_s: float
    peak_memory_mib: float

    @property
    def succeeded(self) -> bool:
        """Whether the script exited with code 0."""
        return self.reason is None


class OutputSink(Protocol):
    """Takes what a script prints, as it comes; called from the thread that runs the slot."""

    def write(self, stream: str, data: bytes) -> None:
        """Take raw bytes of `stream` ("stdout" or "stderr"); any split of lines is possible. Never blocks long."""


class Slot(Protocol):
    """One warm place; `run` is called by one thread at a time, `kill` by any."""

    def run(self, execution: Execution, sink: OutputSink) -> Ended:
        """Run the script to its end and leave no process of it behind.

        Raises:
            RunnerFailed: when the slot itself broke; it must then be closed, not used again.
        """

    def kill(self, reason: EndReason) -> None:
        """Kill the current run at once; its `run` returns with this reason. Harmless when nothing runs."""

    def close(self) -> None:
        """End the slot and everything in it; idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotKey:
    """What a warm slot may be shared by: one owner's one component revision with the same limits."""

    owner: str
    component: str
    revision: int
    image: str
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a runner gives: its name for people, what separates tasks, and whether memory is bounded by cgroup."""

    name: str
    isolation: str
    memory_by_cgroup: bool
    simulated: bool = False


class Runner(Protocol):
    """Opens slots."""

    capabilities: Capabilities

    def open_slot(self, key: SlotKey) -> Slot:
        """Open a warm slot.

        Raises:
            RunnerFailed: when none can be opened now.
        """

    def close(self) -> None:
        """End every slot and what belongs to the runner itself."""
