"""The bounds of a run: the runner's defaults, and what a task's own resource limits must do."""

import os
from dataclasses import dataclass
from pathlib import Path

from worker.runners.protocol import Limits

DEFAULT_MEMORY_MIB = 4096
DEFAULT_PROCESSES = 512
DEFAULT_FILE_MIB = 16384
MIB = 1 << 20


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
