"""What a request for log lines asks for, in the reader's terms."""

from api.log_reader import Places, place_of
from api.log_scan import LineFilter
from api.shapes.logs import LogFilter, Order
from gridloom.errors import NotFound
from gridloom.ids import parse_task_id
from gridloom.log_frames import micros
from gridloom.states import Stage
from storage.columns import to_micros


def line_filter(job_id: str, asked: LogFilter) -> LineFilter:
    """Return the filter of a request.

    Raises:
        NotFound: when the job has no such task.
    """
    return LineFilter(
        chunks=_chunks(job_id, asked),
        search=asked.search,
        levels=frozenset(asked.levels),
        from_at=micros(to_micros(asked.since)) if asked.since else None,
        to_at=micros(to_micros(asked.until)) if asked.until else None,
        ours=None if asked.container is None else asked.container == "main",
        newest_first=asked.order is Order.DESC,
    )


def places(asked: LogFilter, total: int) -> Places:
    """Return which of a job's `total` lines are still to be read.

    Raises:
        BadInput: when the request goes on from no id that an earlier answer gave.
    """
    place = place_of(asked.after_id)
    if asked.order is Order.DESC:
        return Places(0, total if place is None else min(place, total))
    return Places(place or 0, max(place or 0, total))


def _chunks(job_id: str, asked: LogFilter) -> dict[Stage, frozenset[int] | None]:
    stages = [asked.stage] if asked.stage else list(Stage)
    if not asked.tasks_ids:
        return dict.fromkeys(stages)
    found: dict[Stage, set[int]] = {}
    for text in asked.tasks_ids:
        try:
            stage, chunk = parse_task_id(job_id, text)
        except ValueError:
            raise NotFound(f"job {job_id} has no task {text[:64]!a}") from None
        found.setdefault(stage, set()).add(chunk)
    return {stage: frozenset(chunks) for stage, chunks in found.items() if stage in stages}
