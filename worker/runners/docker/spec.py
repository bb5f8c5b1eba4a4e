"""What a container is allowed: all that the daemon is asked for, from the image nothing but files and variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.runners.protocol import SlotKey
from worker.runners.rlimits import DEFAULT_MEMORY_MIB, DEFAULT_PROCESSES, MIB

#: On top of a task's memory: about 15 MiB of a Python that waits, what its spare touches, page tables and room. What
#: is imported ahead counts as the task's, which would have imported it itself.
AGENT_MIB = 64
AGENT_PROCESSES = 8
OPEN_FILES = 16384  #: below what systems without a daemon of root allow at most
PROCESSES = (
    16384  #: of the user in all containers; PidsLimit bounds one, but unasked Podman sets more than it may
)
HOSTNAME = "task"
HOME = "/tmp"
#: Ours, shown read-only.
AGENT_AT, PYTHON_AT = "/.gridloom/agent", "/.gridloom/python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A folder of this machine that a container sees, under its own path unless `at` names another."""

    source: Path
    at: str = ""
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that tells one container from another.

    `env` and `volumes` are the image's own; `user` is `uid:gid`; `network` is one of the daemon's, "" for none;
    `security` are the daemon's options beside no-new-privileges.
    """

    name: str
    image: str
    env: Mapping[str, str]
    volumes: tuple[str, ...]
    key: SlotKey
    command: tuple[str, ...]
    folder: Path
    shown: tuple[Shown, ...]
    user: str
    network: str
    labels: Mapping[str, str]
    security: tuple[str, ...]


def memory_of(key: SlotKey) -> int:
    """Return the MiB that a task of this key may use."""
    return key.memory_mib or DEFAULT_MEMORY_MIB


def scratch_of(key: SlotKey) -> int:
    """Return the MiB that a task's /tmp, and its /dev/shm, may hold."""
    return memory_of(key) // 2


def config(plan: Plan) -> dict[str, Any]:
    """Return what the daemon is asked for."""
    return {
        "Image": plan.image,
        "User": plan.user,
        "Env": [f"{name}={value}" for name, value in _variables(plan).items()],
        "Entrypoint": list(plan.command),
        "Cmd": [],
        "WorkingDir": str(plan.folder),
        "Hostname": HOSTNAME,
        "Labels": dict(plan.labels),
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGKILL",
        "HostConfig": _host_config(plan),
    }


def _variables(plan: Plan) -> dict[str, str]:
    threads = str(max(1, int(plan.key.cores)))
    unless_set = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": threads}
    return {name: value for name, value in unless_set.items() if name not in plan.env} | {
        "HOME": HOME,
        "TMPDIR": HOME,
    }


def _host_config(plan: Plan) -> dict[str, Any]:
    memory = (memory_of(plan.key) + AGENT_MIB) * MIB
    scratch = scratch_of(plan.key) * MIB
    return {
        "NetworkMode": plan.network or "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", *plan.security],
        # A nested /proc may be mounted only where nothing of the outer one is hidden; the agent hides it again.
        "MaskedPaths": [],
        "ReadonlyPaths": [],
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": int(max(0.01, min(plan.key.cores, os.cpu_count() or 1)) * 1e9),
        "PidsLimit": DEFAULT_PROCESSES + AGENT_PROCESSES,
        "Ulimits": [
            {"Name": name, "Soft": value, "Hard": value}
            for name, value in (("nofile", OPEN_FILES), ("core", 0), ("nproc", PROCESSES))
        ],
        "Tmpfs": {HOME: f"rw,nosuid,nodev,exec,mode=1777,size={scratch}"},
        "ShmSize": scratch,
        "Mounts": [*map(_bind, plan.shown), *map(_volume, plan.volumes)],
        # What the agent says of its own failure; tasks have streams of their own.
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "64k", "max-file": "1"}},
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,  # the worker would not learn when it is gone
    }


def _bind(shown: Shown) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(shown.source),
        "Target": shown.at or str(shown.source),
        "ReadOnly": not shown.writable,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _volume(target: str) -> dict[str, Any]:
    """Shadow an image's volume, which would be a writable place for all tasks of a slot, by an empty read-only one."""
    options = {"SizeBytes": 4096, "Mode": 0o755}
    return {"Type": "tmpfs", "Target": target, "ReadOnly": True, "TmpfsOptions": options}
