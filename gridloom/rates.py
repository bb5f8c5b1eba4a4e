"""The rate card: what an hour of a machine's part costs, and what a task therefore does.

One chip pays for an hour of one core together with one GiB. A task's weight is the larger of its cores and its GiB;
with a GPU, the larger of that and the model's rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

from gridloom import money
from gridloom.devices import Capacity, Needs, slug
from gridloom.errors import BadInput

CORE_RATE = money.UNIT  #: an hour of one core
GIB_RATE = money.UNIT  #: an hour of one GiB

_HOUR_US = 3_600_000_000
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class RateCard:
    """Rates of GPUs by model, in lower case, an hour; cores and memory cost the same everywhere."""

    gpus: Mapping[str, int]

    def hourly(self, needs: Needs, machine: Capacity | None = None) -> int:
        """Return what an hour of a task with these needs costs.

        Where it ran on a `machine` smaller than that, it got and pays for the machine; of several acceptable GPU
        models it pays for the first that the machine has. Without a machine, the first model is taken.
        """
        cores, memory_mib, models = needs.cores, needs.memory_mib, needs.gpus
        if machine is not None:
            cores, memory_mib = min(cores, machine.cores), min(memory_mib, machine.memory_mib)
            have = {slug(model) for model in machine.gpus}
            models = tuple(model for model in models if slug(model) in have)
        base = max(
            money.rounded(Decimal(str(cores)) * CORE_RATE / money.UNIT),
            money.divided(memory_mib * GIB_RATE, 1024),
        )
        return max(base, self._gpu(models[0])) if models else base

    def _gpu(self, model: str) -> int:
        wanted = slug(model)
        return next((rate for name, rate in self.gpus.items() if slug(name) == wanted), 0)


@lru_cache(maxsize=8)
def rate_card(gpu_rates: str) -> RateCard:
    """Return the card of the setting `gpu_rates`: MODEL=RATE, commas between, chips an hour.

    Raises:
        ValueError: when an item is not like that.
    """
    rates: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in gpu_rates.split(","))):
        model, _, rate = item.rpartition("=")
        try:
            rates[model.strip().lower()] = money.parse(rate.strip(), "rate")
        except BadInput as error:
            raise ValueError(f"{item!r} is not MODEL=RATE: {error.message}") from None
        if not model.strip() or rates[model.strip().lower()] < 0:
            raise ValueError(f"{item!r} is not MODEL=RATE")
    return RateCard(rates)


def price_of(ran: timedelta, hourly: int) -> int:
    """Return what a run of that length costs, rounded half up once; nothing when the length is negative."""
    return money.divided(max(0, ran // _US) * hourly, _HOUR_US)
