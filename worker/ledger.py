"""The ledger of a machine's cores, memory and GPUs: what tasks have reserved and what is free."""

import time
from collections import deque
from dataclasses import dataclass
from threading import Condition
from types import TracebackType

from gridloom.devices import Capacity, Needs, slug

_DUST = 1e-6  # cores are fractions; sums of them may miss a whole number by this


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What was taken; `gpu` is the model handed out, or None."""

    cores: float
    memory_mib: int
    gpu: str | None = None


class Reservation:
    """A context that gives its grant back at the end."""

    def __init__(self, ledger: "Ledger", grant: Grant) -> None:
        self._ledger = ledger
        self.grant = grant

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ledger.give_back(self.grant)


class Ledger:
    """Grants in the order of asking, so that small tasks can't starve a large one that already waits."""

    def __init__(self, capacity: Capacity) -> None:
        self._all = capacity
        self._cores = capacity.cores
        self._memory_mib = capacity.memory_mib
        self._gpus = list(capacity.gpus)
        self._line: deque[object] = deque()
        self._changed = Condition()
        self._closed = False

    def reserve(self, needs: Needs, wait_s: float) -> Reservation | None:
        """Reserve what the needs name, waiting at most `wait_s`; None when it did not come free or never can."""
        cores, memory_mib = needs.cores, needs.memory_mib
        ticket = object()
        deadline = time.monotonic() + wait_s
        with self._changed:
            if not self._all.holds(needs):
                # A hint for a larger machine of the same class: waiting keeps it from racing round the queue.
                self._changed.wait_for(lambda: self._closed, wait_s)
                return None
            self._line.append(ticket)
            try:
                while not self._closed:
                    if self._line[0] is ticket and self._fits(cores, memory_mib, needs.gpus):
                        return Reservation(self, self._take(cores, memory_mib, needs.gpus))
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return None
                    self._changed.wait(left)
                return None
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()

    def give_back(self, grant: Grant) -> None:
        """Return a grant; called once for each by its reservation."""
        with self._changed:
            self._cores += grant.cores
            self._memory_mib += grant.memory_mib
            if grant.gpu is not None:
                self._gpus.append(grant.gpu)
            self._changed.notify_all()

    def free(self) -> Capacity:
        """Return what nobody has reserved."""
        with self._changed:
            # Without dust, so that two returned thirds and one more make a whole core again.
            return Capacity(cores=round(self._cores, 3), memory_mib=self._memory_mib, gpus=tuple(self._gpus))

    def close(self) -> None:
        """Let every waiting and later `reserve` return None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, cores: float, memory_mib: int, gpus: tuple[str, ...]) -> bool:
        enough = cores <= self._cores + _DUST and memory_mib <= self._memory_mib
        return enough and (not gpus or self._pick(gpus) is not None)

    def _pick(self, models: tuple[str, ...]) -> str | None:
        free = {slug(model): model for model in self._gpus}
        return next((free[slug(model)] for model in models if slug(model) in free), None)

    def _take(self, cores: float, memory_mib: int, gpus: tuple[str, ...]) -> Grant:
        gpu = self._pick(gpus)
        if gpu is not None:
            self._gpus.remove(gpu)
        self._cores -= cores
        self._memory_mib -= memory_mib
        return Grant(cores=cores, memory_mib=memory_mib, gpu=gpu)
