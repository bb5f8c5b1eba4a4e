"""Device classes: the coarse key by which tasks are queued and workers subscribe.

A class is a routing key only. What a task reserves on a machine is its exact `Needs`; see
docs/decisions/0004-device-classes.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

_GIB = 1024


class Needs(BaseModel):
    """What one task reserves: cores, memory in MiB, and acceptable GPU models, most wanted first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cores: float = 1.0
    memory_mib: int = 512
    gpus: tuple[str, ...] = ()


class Capacity(BaseModel):
    """What a machine has, or has free: cores, memory in MiB, and the models of its GPUs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cores: float
    memory_mib: int
    gpus: tuple[str, ...] = ()

    def holds(self, needs: Needs) -> bool:
        """Tell whether the needs fit, whatever else runs."""
        if needs.cores > self.cores or needs.memory_mib > self.memory_mib:
            return False
        have = {slug(model) for model in self.gpus}
        return not needs.gpus or any(slug(model) in have for model in needs.gpus)


@dataclass(frozen=True, slots=True, order=True)
class DeviceClass:
    """Cores and GiB as powers of two, and a GPU model's slug or the empty string."""

    cores: int
    memory_gib: int
    gpu: str = ""

    @property
    def queue(self) -> str:
        """The Celery queue of this class, e.g. `cpu.c2.m4` or `gpu.tesla-t4.c4.m16`."""
        head = f"gpu.{self.gpu}" if self.gpu else "cpu"
        return f"{head}.c{self.cores}.m{self.memory_gib}"

    @classmethod
    def parse(cls, queue: str) -> "DeviceClass":
        """Read a queue's name.

        Raises:
            ValueError: when it is not one of ours.
        """
        match = re.fullmatch(r"(?:cpu|gpu\.([a-z0-9-]+))\.c(\d+)\.m(\d+)", queue)
        if not match:
            raise ValueError(f"{queue!r} is not a device class queue")
        return cls(cores=int(match[2]), memory_gib=int(match[3]), gpu=match[1] or "")


def slug(model: str) -> str:
    """Return a GPU model's name as queue names spell it: `NVIDIA A100-SXM4-40GB` is `nvidia-a100-sxm4-40gb`."""
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")


def _power_up(amount: float) -> int:
    power = 1
    while power < amount:
        power *= 2
    return power


def _power_down(amount: float) -> int:
    power = 1
    while power * 2 <= amount:
        power *= 2
    return power


def device_class(needs: Needs, largest: Capacity | None = None, gpu: str = "") -> DeviceClass:
    """Return the class of the needs: each amount rounded up to a power of two, but never past `largest`'s own
    rounding down, so that a machine of 30 cores is not shut out of tasks that need 30."""
    cores, memory_gib = _power_up(needs.cores), _power_up(needs.memory_mib / _GIB)
    if largest:
        cores = min(cores, _power_down(largest.cores))
        memory_gib = min(memory_gib, _power_down(largest.memory_mib / _GIB))
    return DeviceClass(cores=cores, memory_gib=memory_gib, gpu=slug(gpu))


def classes_within(free: Capacity) -> Iterable[DeviceClass]:
    """Yield every class that fits into the free capacity."""
    for gpu in ("", *sorted({slug(model) for model in free.gpus})):
        cores = 1
        while cores <= free.cores:
            memory_gib = 1
            # The smallest memory class stays open on machines that report a little under a GiB as free.
            while memory_gib == 1 or memory_gib * _GIB <= free.memory_mib:
                yield DeviceClass(cores=cores, memory_gib=memory_gib, gpu=gpu)
                memory_gib *= 2
            cores *= 2
