"""Where tasks' time goes: the phases of a task, and the sums of them that a job keeps."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from gridloom.wire import Spent

QUEUED = "queued"
PHASES = (QUEUED, "pulled", "claimed", "fetched", "ran", "stored")
"""In their order. A task is queued until a worker has it; the worker measures the others."""

_MOST_S = 1e9


class Sums(BaseModel):
    """Seconds by phase, and slots claimed by tier, of so many tasks that ran; `reused` are those that had no need to."""

    model_config = ConfigDict(frozen=True)

    tasks: int = 0
    seconds: dict[str, float] = {}
    claims: dict[str, int] = {}
    reused: int = 0

    def plus(self, done: Iterable[tuple[float, Spent]], reused: int = 0) -> "Sums":
        """Return the sums with further tasks: the seconds that each was queued, and what its worker measured.

        `reused` more took an earlier result.
        """
        tasks, seconds, claims = self.tasks, dict(self.seconds), dict(self.claims)
        for queued_s, spent in done:
            tasks += 1
            for phase, took_s in (seconds_of(spent) | {QUEUED: _sane(queued_s)}).items():
                seconds[phase] = round(seconds.get(phase, 0.0) + took_s, 6)
            if spent.tier is not None:
                claims[spent.tier] = claims.get(spent.tier, 0) + 1
        return Sums(tasks=tasks, seconds=seconds, claims=claims, reused=self.reused + reused)


def seconds_of(spent: Spent) -> dict[str, float]:
    """Return the seconds of each phase that a worker measures."""
    return {phase: _sane(getattr(spent, f"{phase}_s")) for phase in PHASES if phase != QUEUED}


def stored(spent: Spent) -> dict[str, Any] | None:
    """Return what is kept of a task's figures: only what differs from nothing spent."""
    kept = spent.model_dump(mode="json", exclude_defaults=True)
    return {name: round(_sane(it), 6) if isinstance(it, float) else it for name, it in kept.items()} or None


def _sane(seconds: float) -> float:
    # One worker's broken clock must not spoil a sum, and JSON knows neither infinity nor NaN.
    return min(max(0.0, seconds), _MOST_S)
