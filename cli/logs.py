"""Prints what a job's tasks printed, page by page, and goes on while the job runs."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gridloom.ids import parse_task_id
from gridloom.states import JOB_FINAL, Stage

if TYPE_CHECKING:
    from gridloom.client import Client

_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: where it comes from, when it was printed (RFC 3339) and its text."""

    stage: Stage
    task: int
    timestamp: str
    level: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which lines of a job: one stage's or all, some tasks' (by id) or all."""

    job_id: str
    stage: Stage | None = None
    task_ids: Sequence[str] = ()


def read_logs(client: "Client", selection: Selection, *, goes_on: bool) -> Iterator[Line]:
    """Yield the selected lines; `goes_on` waits for more until the job has ended."""
    after_id = ""
    while True:
        # Asked before the lines are read, so that none is missed that came in between.
        last = not goes_on or client.job(selection.job_id).get("state") in JOB_FINAL
        while True:
            page = client.logs(
                selection.job_id, stage=selection.stage, task_ids=selection.task_ids, after_id=after_id
            )
            after_id = str(page.get("nextId") or after_id)
            lines = list(_lines(selection.job_id, page))
            yield from lines
            if not lines:
                break
        if last:
            return
        time.sleep(_PAUSE_S)


def in_words(line: Line) -> str:
    """Return a line as a person reads it."""
    source = f"task {line.task}" if line.stage is Stage.APP else line.stage.value
    text = "".join(char if char.isprintable() or char == "\t" else " " for char in line.log)
    return f"{line.timestamp[:23]}  {source}  {text}"


def _lines(job_id: str, page: dict[str, Any]) -> Iterator[Line]:
    """Yield a page's lines in the order in which they were printed."""
    found = [
        *(_line(Stage.PARTITION, 0, it) for it in page.get("partitioner") or ()),
        *(
            _line(Stage.APP, parse_task_id(job_id, task_id)[1], it)
            for task_id, task in (page.get("taskrunner") or {}).items()
            for it in task.get("logs") or ()
        ),
        *(_line(Stage.ASSEMBLE, 0, it) for it in page.get("assembler") or ()),
    ]
    key: Callable[[Line], str] = lambda line: line.timestamp  # noqa: E731
    yield from sorted(found, key=key)


def _line(stage: Stage, task: int, entry: dict[str, Any]) -> Line:
    timestamp, level = str(entry.get("timestamp", "")), str(entry.get("level", ""))
    return Line(stage=stage, task=task, timestamp=timestamp, level=level, log=str(entry.get("log", "")))
