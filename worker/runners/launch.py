"""What a slot asks its agent to start, and how that travels."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.runners.protocol import Execution, Limits

DEFAULT_MEMORY_MIB = 4096
DEFAULT_PROCESSES = 512
DEFAULT_FILE_MIB = 16384
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One program to start.

    `extra_fds` become its descriptors 3, 4, ...; `staged` are paths that the agent, as root, shows as /mnt/0, /mnt/1,
    ... in a mount namespace of the program's own before it becomes user `uid`. `report_fd`, when there is one, must
    hold `exit-code` at the end, or the sandbox never came to start the script.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    extra_fds: tuple[int, ...] = ()
    staged: tuple[str, ...] = ()
    uid: int | None = None
    report_fd: int | None = None


class Planner(Protocol):
    """Turns executions into launches: all that tells one kind of agent slot from another."""

    def prepare(self, execution: Execution) -> AbstractContextManager[Launch]:
        """Return what to start; its exit frees whatever the launch needed.

        Raises:
            AttemptFailed: when the script can't be started here, such as for want of its interpreter.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Rlimits:
    """Resource limits of the program; 0 leaves one as it is."""

    file_bytes: int
    processes: int
    data_bytes: int


def complete(limits: Limits) -> Limits:
    """Return the limits with the runner's defaults where none were given; a missing timeout stays missing."""
    return Limits(
        timeout_s=limits.timeout_s,
        memory_mib=limits.memory_mib or DEFAULT_MEMORY_MIB,
        processes=limits.processes or DEFAULT_PROCESSES,
        file_mib=limits.file_mib or DEFAULT_FILE_MIB,
    )


def rlimits_for(limits: Limits, *, memory_by_cgroup: bool, others: int | None) -> Rlimits:
    """Return what rlimits must do of complete `limits`.

    RLIMIT_NPROC counts every thread of a user, so `others`, what that user runs already, comes on top; None means
    that a cgroup counts.
    """
    return Rlimits(
        file_bytes=limits.file_mib * MIB,
        processes=0 if others is None else others + limits.processes,
        data_bytes=0 if memory_by_cgroup else limits.memory_mib * MIB,
    )


def threads_of(uid: int) -> int:
    """Return how many threads a user runs on this machine now."""
    count = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if process.stat().st_uid == uid:
                    count += len(os.listdir(process / "task"))  # noqa: PTH208 - a count needs no Path objects
            except OSError:
                continue
    return count


def encode(launch: Launch, rlimits: Rlimits) -> bytes:
    """Return the body of a run frame; `agent.Request` reads it.

    Raises:
        ValueError: when a field holds a NUL.
    """
    variables = [f"{name}={value}" for name, value in launch.env.items()]
    fields = [launch.cwd, *launch.argv, *variables, *launch.staged]
    if any("\0" in field for field in fields):
        raise ValueError("arguments and variables can't hold NUL")
    numbers = (
        *(len(launch.argv), len(variables), len(launch.staged)),
        -1 if launch.uid is None else launch.uid,
        *(rlimits.file_bytes, rlimits.processes, rlimits.data_bytes),
    )
    return "\0".join([" ".join(map(str, numbers)), *fields]).encode("utf-8", "surrogateescape")
