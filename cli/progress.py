"""Progress of jobs and transfers, on standard error: a live bar on a terminal, plain lines now and then elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from cli.output import note
from cli.phases import claimed
from gridloom.states import JOB_ORDER, JobState

if TYPE_CHECKING:
    from gridloom.client import Job

ShowJob = Callable[["Job"], None]
ShowBytes = Callable[[int], None]

_WINDOW_S = 30.0
_LINE_EVERY_S = 2.0
_LABELS: dict[str, str] = {
    JobState.PARTITIONED: "Running tasks",
    JobState.MERGING: "Assembling",
    JobState.DOWNLOADING: "Delivering",
}


class Pace:
    """How fast a counter has grown within the last half minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, at_s: float, count: int) -> None:
        """Note the counter's value at a time in seconds."""
        if not count:
            self._seen.clear()  # the time before the first step says nothing about the pace
        self._seen.append((at_s, count))
        while len(self._seen) > 2 and at_s - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    @property
    def per_s(self) -> float:
        """Steps per second."""
        if len(self._seen) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return max(0.0, (last - first) / (last_s - first_s)) if last_s > first_s else 0.0

    def left_s(self, missing: int) -> float | None:
        """Seconds until so many more steps are done; None when nobody can tell."""
        return missing / self.per_s if self.per_s else None


def label(state: str) -> str:
    """Return what a state is called for people."""
    return _LABELS.get(state) or state.removeprefix("JOB_STATE_").replace("_", " ").capitalize()


def progress_line(job: "Job", pace: Pace) -> str:
    """Return stage, chunks done and in all, rate, time left and the wait for slots in one line."""
    done, total = job.progress.completed, job.progress.total
    words = [label(job.state)]
    if total is not None or job.num_chunks:
        words.append(f"{done}/{total} chunks" if total is not None else f"{done}/{job.num_chunks}+ chunks")
        if pace.per_s:
            words.append(f"{pace.per_s:.1f}/s")
        left_s = pace.left_s(total - done) if total is not None and total > done else None
        if left_s is not None:
            words.append(f"{left_s:.0f} s left")
    if job.progress.reused:
        words.append(f"{job.progress.reused} reused")
    if slots := claimed(job.phases):
        words.append(slots)
    return "  ".join(words)


def stage_times(job: "Job") -> list[tuple[str, float]]:
    """Return for every state that the job has left how long it was in it, in seconds."""
    reached = [(state, job.state_timestamps[state]) for state in JOB_ORDER if state in job.state_timestamps]
    return [
        (label(state), (after - since).total_seconds())
        for (state, since), (_, after) in pairwise(reached)
        if state is not JobState.NEW
    ]


@contextmanager
def job_progress(*, quiet: bool) -> Iterator[ShowJob]:
    """Yield what shows a job's progress each time it is called."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        yield from _live_job()
    else:
        yield _job_lines()


@contextmanager
def transfer_progress(title: str, size: int, *, quiet: bool) -> Iterator[ShowBytes]:
    """Yield what counts the bytes of a transfer; there is a bar on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=size or None)
        yield lambda moved: bar.advance(task, moved)


@contextmanager
def waiting(title: str, *, quiet: bool) -> Iterator[None]:
    """Show that something goes on of which nobody knows how far it is."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(title):
        yield


def _live_job() -> Iterator[ShowJob]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    pace = Pace()
    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)

        def show(job: "Job") -> None:
            pace.note(time.monotonic(), job.progress.completed)
            total = job.progress.total
            bar.update(
                task, description=progress_line(job, pace), total=total, completed=job.progress.completed
            )

        yield show


def _job_lines() -> ShowJob:
    pace = Pace()
    shown, shown_at = "", 0.0

    def show(job: "Job") -> None:
        nonlocal shown, shown_at
        now = time.monotonic()
        pace.note(now, job.progress.completed)
        line = progress_line(job, pace)
        new_stage = label(job.state) != shown.partition("  ")[0]
        if line != shown and (new_stage or now - shown_at >= _LINE_EVERY_S):
            shown, shown_at = line, now
            note(line)

    return show
