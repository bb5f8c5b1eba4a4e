"""What a runner is: something that opens slots, in which scripts run one at a time.

A slot is the unit that stays warm: a container or sandbox in which an agent waits for work. `worker.pool` opens slots
for a key, hands them to one bundle at a time, and closes them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gridloom.states import EndReason
from gridloom.warmth import Isolation, Network
from gridloom.wire import ImageLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """The worker's folders that slots show to scripts, each under its own absolute path.

    A slot gets a folder of its own in `slots`, in which its attempts' folders are made; `components/<owner>` and
    `shared_cache` are shown read-only, `user_caches/<owner>` read-write.
    """

    slots: Path
    components: Path
    shared_cache: Path
    user_caches: Path


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

    `component` is the unpacked component's folder, `script` its entrypoint; the working directory is the script's
    folder and the interpreter follows its extension. `env` is the whole environment besides what image and runner
    set. `folders` are those in the slot's own folder that the script may write to. `label` names the attempt in
    leftovers and messages.
    """

    label: str
    component: Path
    script: Path
    env: Mapping[str, str] = field(repr=False)
    folders: tuple[Path, ...]
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: `reason` is None for exit code 0.

    CPU seconds and peak memory cover the whole process tree. `modules` are what a Python script imported beyond what
    its interpreter had loaded, in order; bytes on the network are None where there is no network to count.
    """

    reason: EndReason | None
    exit_code: int | None
    signal: int | None
    message: str
    started_at: datetime
    ended_at: datetime
    cpu_s: float
    peak_memory_mib: float
    modules: tuple[str, ...] = ()
    received_bytes: int | None = None
    sent_bytes: int | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the script exited with code 0."""
        return self.reason is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preloaded:
    """What became of modules that a slot was asked to import: `refused` says why, by module."""

    imported: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    took_s: float = 0.0


class OutputSink(Protocol):
    """Takes what a script prints, as it comes; called from the thread that runs the slot."""

    def write(self, stream: str, data: bytes) -> None:
        """Take raw bytes of `stream` ("stdout" or "stderr"); any split of lines is possible. Never blocks long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFacts:
    """What is known of an open slot: what really separates its tasks, the image's digest, the Python that may
    import ahead ("" for none)."""

    isolation: str
    image: str = ""
    python: str = ""


class Slot(Protocol):
    """One warm place; `run` and `preload` are called by one thread at a time, `kill` by any."""

    folder: Path
    facts: SlotFacts

    def run(self, execution: Execution, sink: OutputSink) -> Ended:
        """Run the script to its end and leave no process of it behind.

        Raises:
            AttemptFailed: when the script can't be started, such as for want of its interpreter.
            RunnerFailed: when the slot itself broke; it must then be closed, not used again.
        """

    def kill(self, reason: EndReason) -> None:
        """Kill the current run at once; its `run` returns with this reason. Harmless when nothing runs."""

    def preload(self, modules: Sequence[str]) -> Preloaded:
        """Import modules ahead of the tasks to come.

        Raises:
            RunnerFailed: when the slot itself broke.
        """

    def memory_mib(self) -> float:
        """Return what the slot occupies while idle; 0 when it is not alive any more."""

    def close(self) -> None:
        """End the slot and everything in it, and remove its folder; returns when it is gone; idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotKey:
    """What a slot may be shared by: tasks of one owner with the same image, limits, network and isolation.

    `component` is set where only one app may use it: it has secrets, or it asked for `app` isolation. `job` is set
    for `job` isolation.
    """

    owner: str
    image: str = ""
    memory_mib: int = 0
    cores: float = 1.0
    network: Network = Network.NONE
    isolation: Isolation = Isolation.TASK
    component: str = ""
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWanted:
    """An image by name, whose owner may have a login for it, and the digest its job keeps, "" before there is one."""

    reference: str
    owner: str
    login: ImageLogin | None = None
    pin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHad:
    """An image that is present: its digest ("" for runners without images) and the seconds spent on pulling it."""

    digest: str = ""
    pulled_s: float = 0.0


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

    def have_image(self, wanted: ImageWanted, go_on: Callable[[], bool]) -> ImageHad:
        """Make sure that an image is here, for as long as `go_on` says so.

        Raises:
            AttemptFailed: when it can't be had (image_unavailable).
            RunnerFailed: when the runner itself is out of order.
        """

    def open_slot(self, key: SlotKey) -> Slot:
        """Open a slot; `key.image` is a digest that `have_image` returned.

        Raises:
            AttemptFailed: when this machine can't give what the key asks for, such as a network.
            RunnerFailed: when none can be opened now.
        """

    def sweep(self) -> None:
        """Remove what slots that are gone have left; called each minute. Never raises."""

    def close(self) -> None:
        """End what belongs to the runner itself; slots are closed by who opened them."""
