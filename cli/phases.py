"""Where tasks' time went, in words: the means of a job, and a table of its tasks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cli.output import table

if TYPE_CHECKING:
    from gridloom.client import PhaseMeans


def claimed(means: "PhaseMeans | None") -> str:
    """Return what a job's tasks waited for their slots on average, and how many found them warm; empty if unknown."""
    if means is None or not means.claims:
        return ""
    wait = duration(means.mean_seconds.get("claimed", 0.0))
    return f"claimed {wait} ({100 * means.claims.get('warm', 0.0):.0f} % warm)"


def phase_line(means: "PhaseMeans | None") -> str:
    """Return the means of every phase in one line; empty before there are any."""
    from gridloom.phases import PHASES

    if means is None:
        return ""
    words = {name: f"{name} {duration(means.mean_seconds.get(name, 0.0))}" for name in PHASES}
    words["claimed"] = claimed(means) or words["claimed"]
    return "  ".join(words.values())


def task_table(tasks: Iterable[dict[str, Any]], *, wide: bool = False) -> str:
    """Return one line for each task: what became of it, and how long each phase took."""
    from gridloom.phases import PHASES

    rows = []
    for task in tasks:
        took = {str(it.get("name")): float(it.get("seconds") or 0.0) for it in task.get("phases") or ()}
        cells = [duration(took[name]) if name in took else "" for name in PHASES]
        claim = "reused" if (task.get("reuse") or {}).get("hit") else task.get("claim")
        shown = (task.get("chunkNumber"), task.get("state"), task.get("retries"), claim)
        rows.append([*shown, *cells, task.get("errorMessage")])
    return table(("chunk", "state", "retries", "claim", *PHASES, "error"), rows, wide=wide)


def duration(seconds: float) -> str:
    """Return seconds with three significant digits in the unit that reads best."""
    if seconds >= 100:
        return f"{seconds:.0f} s"
    return f"{seconds:.3g} s" if seconds >= 0.9995 else f"{seconds * 1000:.3g} ms"
