"""Which queue a stage's tasks go to, given the machines that are connected."""

from collections.abc import Sequence
from dataclasses import dataclass

from gridloom.devices import Capacity, Needs, device_class


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A live worker: all it has, and how many tasks it takes at a time."""

    capacity: Capacity
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Queue, what a task reserves, and the slots of the machines that serve the queue."""

    queue: str
    needs: Needs
    slots: int
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPlace:
    """Why nothing can be handed out; `final` when no connected machine will ever do."""

    why: str
    final: bool


def place(needs: Needs, machines: Sequence[Machine], *, clamp: bool) -> Placement | NoPlace:
    """Return where tasks with these needs go; pure.

    GPU models are tried in their order. With `clamp`, needs that exceed every machine are cut to the largest one,
    with a warning, so that a job made for a big cluster runs on a laptop.
    """
    if not machines:
        return NoPlace(why="no worker is connected", final=False)
    for gpu in needs.gpus or ("",):
        wanted = needs.model_copy(update={"gpus": (gpu,) if gpu else ()})
        fitting = [machine for machine in machines if machine.capacity.holds(wanted)]
        if fitting:
            return _placed(wanted, fitting, gpu)
    if not clamp:
        return NoPlace(why=_why(needs, machines), final=True)
    largest = max(machines, key=lambda machine: (machine.capacity.cores, machine.capacity.memory_mib))
    cut = Needs(
        cores=min(needs.cores, largest.capacity.cores),
        memory_mib=min(needs.memory_mib, largest.capacity.memory_mib),
    )
    placed = _placed(cut, [machine for machine in machines if machine.capacity.holds(cut)], "")
    warning = f"{_why(needs, machines)}; running on the largest one all the same"
    return Placement(queue=placed.queue, needs=cut, slots=placed.slots, warning=warning)


def _placed(needs: Needs, fitting: Sequence[Machine], gpu: str) -> Placement:
    # The class must be one to which every fitting machine can subscribe, or some of them would never see it.
    smallest = Capacity(
        cores=min(machine.capacity.cores for machine in fitting),
        memory_mib=min(machine.capacity.memory_mib for machine in fitting),
    )
    queue = device_class(needs, smallest, gpu).queue
    return Placement(queue=queue, needs=needs, slots=sum(machine.slots for machine in fitting))


def _why(needs: Needs, machines: Sequence[Machine]) -> str:
    cores = max(machine.capacity.cores for machine in machines)
    memory_mib = max(machine.capacity.memory_mib for machine in machines)
    asked = f"{needs.cores:g} CPU, {needs.memory_mib / 1024:g} GB"
    if needs.gpus:
        asked += f", GPU {' or '.join(needs.gpus)}"
    models = sorted({model for machine in machines for model in machine.capacity.gpus})
    have = f"{cores:g} CPU, {memory_mib / 1024:.1f} GB, {'GPU ' + ', '.join(models) if models else 'no GPU'}"
    return f"no connected machine has {asked} (the largest have {have})"
