"""What this machine has: cores, memory and GPUs, measured once at the start."""

import os
from pathlib import Path

import psutil
import pynvml
import structlog

from gridloom.devices import Capacity

log = structlog.get_logger()

_MEMORY_SHARE = 0.9  # the rest is for the system and for the fabric itself
_MIB = 1024 * 1024
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def count_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def measure(slots: int) -> Capacity:
    """Return what tasks may reserve: `slots` cores, nine tenths of the memory, and the GPUs that answer."""
    return Capacity(cores=slots, memory_mib=int(memory_mib() * _MEMORY_SHARE), gpus=find_gpus())


def memory_mib() -> float:
    """Return the memory of this machine, or what a container lets us have of it."""
    return min((psutil.virtual_memory().total, *_memory_limits())) / _MIB


def find_gpus() -> tuple[str, ...]:
    """Return the models of the NVIDIA GPUs that answer; none without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.debug("no_gpu_driver", error=str(error))
        return ()
    try:
        models = [_model(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        log.warning("gpus_not_counted", error=str(error))
        return ()
    finally:
        pynvml.nvmlShutdown()
    return tuple(model for model in models if model)


def _model(number: int) -> str:
    try:
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(number))
    except pynvml.NVMLError as error:
        log.warning("gpu_left_out", number=number, error=str(error))
        return ""
    return name.decode() if isinstance(name, bytes) else str(name)


def _memory_limits() -> list[int]:
    """Return the limits that a container sets; a machine of its own has none."""
    texts = [path.read_text().strip() for path in _CGROUP_LIMITS if path.is_file()]
    return [int(text) for text in texts if text.isdecimal()]
