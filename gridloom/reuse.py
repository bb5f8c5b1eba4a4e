"""Why a task took an earlier task's result instead of running, or why it did not."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class ReuseNote(BaseModel):
    """`job_id` and `chunk` name the task whose result was taken, and `saved_s` is how many seconds that one ran; an
    empty `job_id` means that none was taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    job_id: str = ""
    chunk: int = 0
    saved_s: float = 0.0

    @property
    def hit(self) -> bool:
        """Whether an earlier result was taken."""
        return bool(self.job_id)


def canonical(params: Any) -> str:
    """Return parameters as the one text that equal ones share, whatever the order of their members."""
    return json.dumps(params, sort_keys=True, separators=(",", ":"))


def differing(these: dict[str, Any], those: dict[str, Any]) -> list[str]:
    """Return the names of the members in which two sets of parameters differ, sorted."""
    names = sorted(these.keys() | those.keys())
    return [
        it
        for it in names
        if (it in these) != (it in those) or canonical(these.get(it)) != canonical(those.get(it))
    ]
