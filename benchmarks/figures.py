"""A measured figure beside its floor and its goal, and the table that shows many."""

import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table

Bound = Literal["at least", "at most"]

_MEETS = {"at least": operator.ge, "at most": operator.le}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; `goal` bounds the ratio to the floor where `judges` says so, else the value itself."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    floor_name: str = ""
    bound: Bound = "at most"
    goal: float | None = None
    judges: Literal["value", "ratio"] = "value"
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the floor the value is."""
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, None without a goal."""
        judged = self.ratio if self.judges == "ratio" else self.value
        if self.goal is None or judged is None:
            return None
        return bool(_MEETS[self.bound](judged, self.goal))

    def as_json(self) -> dict[str, object]:
        """Return the figure as a JSON object."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "floor": self.floor,
            "floorName": self.floor_name,
            "ratio": self.ratio,
            "goal": self.goal and f"{self.judges} {self.bound} {self.goal:g}",
            "met": self.met,
            "note": self.note,
        }


def show(title: str, figures: Sequence[Figure]) -> None:
    """Print a benchmark's figures as a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure", overflow="fold")
    for column in ("measured", "floor", "ratio", "goal"):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("", overflow="fold")
    for it in figures:
        table.add_row(
            it.name,
            f"{_short(it.value)} {it.unit}",
            f"{_short(it.floor)} {it.floor_name}" if it.floor is not None else "",
            f"{it.ratio:.2f}" if it.ratio is not None else "",
            "" if it.goal is None else f"{it.judges} {it.bound} {it.goal:g}",
            {True: "met ", False: "MISSED ", None: ""}[it.met] + it.note,
        )
    Console(width=None if os.isatty(1) else 150).print(table)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
