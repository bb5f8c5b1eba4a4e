"""How components wish to be kept warm and apart: the words of the manifest's `warm` and `network` members."""

from enum import StrEnum
from typing import Literal

Preload = Literal["auto", "off"] | tuple[str, ...]
"""What an app's Python imports before its tasks start: what earlier tasks imported, nothing, or these modules."""


class Isolation(StrEnum):
    """What is fresh for each task.

    `task`: process, pid, mount and ipc namespaces, /tmp, /dev/shm. `strict`: the whole container. `job` and `app` are
    `task` with a /tmp that the tasks of one job, or of one owner's app, share.
    """

    TASK = "task"
    STRICT = "strict"
    JOB = "job"
    APP = "app"


class Network(StrEnum):
    """What a task may reach: nothing, or public addresses."""

    NONE = "none"
    EGRESS = "egress"


class Tier(StrEnum):
    """How a task's slot was had: ready with the app's imports, ready without them, or made for it."""

    WARM = "warm"
    GENERIC = "generic"
    COLD = "cold"
