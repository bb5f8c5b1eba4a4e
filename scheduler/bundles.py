"""How many chunks go into one hint, and how many hints may wait: guided self-scheduling.

After Polychronopoulos and Kuck, "Guided self-scheduling" (1987): a share of what remains, so that bundles shrink
towards the end and no machine is left with the tail; bounded by half a second of work, so that a lost bundle is
cheap and the first result early, and from below by what is worth a trip to the control plane and back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from gridloom.wire import BUNDLE_MAX

BUNDLE_S = 0.5
LEAST_S = 0.05  #: of work in a bundle, if there is so much: a claim and a commit cost some 10 ms
WINDOW = 3  #: hints that may wait in a class's queue, times its slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a job's tasks went so far."""

    completed: int
    busy_s: float
    remaining: int

    @property
    def mean_s(self) -> float | None:
        """Mean run time of a task in seconds, None while unknown."""
        return self.busy_s / self.completed if self.completed else None


def bundle_size(pace: Pace, slots: int) -> int:
    """Return how many chunks the next bundle gets; at least 1."""
    if pace.mean_s is None:
        return 1
    by_time = BUNDLE_MAX if pace.mean_s * BUNDLE_MAX <= BUNDLE_S else max(1, int(BUNDLE_S / pace.mean_s))
    by_share = max(1, ceil(pace.remaining / (2 * max(slots, 1))))
    worth = BUNDLE_MAX if pace.mean_s * BUNDLE_MAX <= LEAST_S else max(1, int(LEAST_S / pace.mean_s))
    return min(by_time, max(by_share, worth))


def room(waiting: int, slots: int) -> int:
    """Return how many more hints a class's queue takes."""
    return max(0, WINDOW * max(slots, 1) - waiting)


def split(chunks: Sequence[tuple[int, int]], size: int) -> list[tuple[int, ...]]:
    """Cut (chunk, infra_failures) pairs into bundles; a chunk that infrastructure failed before travels alone, so
    that one which takes its worker down drags nobody along."""
    bundles: list[tuple[int, ...]] = []
    current: list[int] = []
    for chunk, failures in chunks:
        if failures:
            bundles.append((chunk,))
            continue
        current.append(chunk)
        if len(current) == size:
            bundles.append(tuple(current))
            current = []
    if current:
        bundles.append(tuple(current))
    return bundles
