"""Log lines on their way to the control plane, packed once: a segment that is sent again is still the same segment.

What running tasks print waits here when the control plane is away, and goes with the next commit of their stage, so
that no line overtakes an earlier one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from threading import Lock

import structlog

from gridloom.logs import LogLine
from gridloom.states import Stage
from gridloom.wire import LogSegment
from worker.log_segments import pack_lines

log = structlog.get_logger()

_MOST_LINES = 100_000

Parcel = tuple[LogSegment, bytes]


class UnsentLogs:
    """Keeps segments by job and stage; thread-safe."""

    def __init__(self) -> None:
        self._parcels: dict[tuple[str, Stage], list[Parcel]] = defaultdict(list)
        self._lock = Lock()

    def __bool__(self) -> bool:
        return bool(self._parcels)

    def add(self, job_id: str, stage: Stage, batches: Iterable[tuple[int, int, Iterable[LogLine]]]) -> None:
        """Pack lines of (chunk, attempt, lines); all is let go when too much is waiting."""
        packed = pack_lines(batches)
        if packed is None:
            return
        with self._lock:
            self._parcels[job_id, stage].append(packed)
            if sum(it.lines for parcels in self._parcels.values() for it, _ in parcels) > _MOST_LINES:
                log.warning("live_logs_dropped")
                self._parcels.clear()

    def stages(self) -> list[tuple[str, Stage]]:
        """Return the jobs and stages that have segments here."""
        with self._lock:
            return list(self._parcels)

    def of(self, job_id: str, stage: Stage) -> list[Parcel]:
        """Return the segments of a stage, the oldest first; they stay until they are dropped."""
        with self._lock:
            return list(self._parcels.get((job_id, stage), ()))

    def drop(self, job_id: str, stage: Stage, parcels: Collection[Parcel]) -> None:
        """Forget segments that have arrived, or never will."""
        gone = {segment.id for segment, _ in parcels}
        with self._lock:
            rest = [it for it in self._parcels.pop((job_id, stage), ()) if it[0].id not in gone]
            if rest:
                self._parcels[job_id, stage] = rest


def laid_out(parcels: Iterable[Parcel], offset: int) -> tuple[tuple[LogSegment, ...], bytes]:
    """Return the segments as they lie one behind the other in a frame's tail from `offset` on, and their bytes."""
    segments: list[LogSegment] = []
    tail = bytearray()
    for segment, data in parcels:
        segments.append(segment.model_copy(update={"offset": offset + len(tail)}))
        tail += data
    return tuple(segments), bytes(tail)
