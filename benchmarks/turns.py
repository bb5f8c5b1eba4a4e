"""Timing several variants in turns, so that what else the machine does hits all of them alike."""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence

Timed = Callable[[], float]


def in_turns(variants: Mapping[str, Timed], rounds: int) -> dict[str, list[float]]:
    """Return each variant's times in milliseconds: one of each a round, in changing order, after one to warm up.

    A variant returns the seconds that it took.
    """
    order = random.Random(1)
    names = list(variants)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        order.shuffle(names)
        for name in names:
            took_ms = variants[name]() * 1e3
            if turn:
                times[name].append(took_ms)
    return times


def percentile(times: Sequence[float], share: int) -> float:
    """Return a percentile, between the two nearest times."""
    return statistics.quantiles(times, n=100, method="inclusive")[share - 1]


def spread(times: Sequence[float]) -> str:
    """Return a note on how the times spread."""
    return f"{len(times)} rounds, least {min(times):.2f}, p99 {percentile(times, 99):.1f}"
