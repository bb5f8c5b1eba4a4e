"""Hands out work: fills each class's queue up to its window with bundles, fairly among owners.

The owner with the least in flight for its weight comes first, its jobs by priority, then by age; jobs of low priority
come after everybody's others. No owner gets ahead of another by calling its own jobs urgent. What is handed out is marked
in the database first and sent after the commit; what could not be sent is taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from broker.hints import HintQueues
from gridloom.devices import Capacity
from gridloom.plan import JobPlan
from gridloom.settings import Settings
from gridloom.states import JobState, Stage
from gridloom.wire import Hint
from scheduler.bundles import Pace, bundle_size, room, split
from scheduler.placement import Machine, NoPlace, Placement, place
from storage.columns import AnyRow
from storage.db import Database
from storage.repositories import dispatch as queries
from storage.repositories import job_states, workers

log = structlog.get_logger()

_LOST_AFTER_S = 3.0
_UNREADABLE = NoPlace(why="this version of Gridloom can't read the job's plan", final=True)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job's stage that may have tasks to hand out, and where they go."""

    job: AnyRow
    stage: Stage
    placement: Placement
    flying: int  #: tasks that are handed out already


class Dispatcher:
    """Keeps what outlives one round: parsed plans of live jobs, and when a job was first found without a place."""

    def __init__(self, database: Database, queues: HintQueues, settings: Settings) -> None:
        self._database = database
        self._queues = queues
        self._settings = settings
        self._plans: dict[str, JobPlan] = {}

    def round(self) -> dict[str, NoPlace]:
        """Hand out what fits; return the jobs whose tasks have no place, and why."""
        with self._database.read() as connection:
            jobs = job_states.live_jobs(connection)
            machines = live_machines(connection, self._settings)
            flying = queries.in_flight(connection)
            self._learn_plans(connection, [job.id for job in jobs])
        candidates, homeless = self._place(jobs, machines, flying)
        if not candidates:
            return homeless
        depths = self._queues.depths({candidate.placement.queue for candidate in candidates})
        if depths is None:
            return homeless
        self._take_back_lost(candidates, depths, flying)
        hints = self._fill(candidates, depths, _in_flight_by_owner(jobs, flying))
        self._send(hints)
        return homeless

    def _learn_plans(self, connection: Connection, job_ids: Sequence[str]) -> None:
        """Read and parse the plans of jobs that are new; forget those of jobs that have ended."""
        new = [job_id for job_id in job_ids if job_id not in self._plans]
        known = self._plans | (job_states.plans(connection, new) if new else {})
        self._plans = {job_id: known[job_id] for job_id in job_ids if job_id in known}

    def _place(
        self, jobs: Sequence[AnyRow], machines: Sequence[Machine], flying: Sequence[AnyRow]
    ) -> tuple[list[Candidate], dict[str, NoPlace]]:
        candidates: list[Candidate] = []
        homeless: dict[str, NoPlace] = {}
        warnings: dict[str, str] = {}
        out = {(row.job_id, row.stage): row.total for row in flying}
        for job in jobs:
            if job.id not in self._plans:
                homeless[job.id] = _UNREADABLE
                continue
            for stage in _open_stages(JobState(job.state)):
                found = place(
                    self._plans[job.id].stage(stage).needs, machines, clamp=self._settings.clamp_needs
                )
                if isinstance(found, NoPlace):
                    homeless[job.id] = found
                    warnings[job.id] = found.why
                else:
                    candidates.append(Candidate(job, stage, found, out.get((job.id, stage), 0)))
                    warnings[job.id] = warnings.get(job.id) or found.warning
        self._show(jobs, warnings)
        return candidates, homeless

    def _show(self, jobs: Sequence[AnyRow], warnings: dict[str, str]) -> None:
        changed = {
            job.id: warnings[job.id] for job in jobs if job.id in warnings and job.warning != warnings[job.id]
        }
        if changed:
            with self._database.write() as connection:
                for job_id, warning in changed.items():
                    job_states.set_warning(connection, job_id, warning)

    def _take_back_lost(
        self, candidates: Sequence[Candidate], depths: dict[str, int], flying: Sequence[AnyRow]
    ) -> None:
        # A hint that is neither in the queue nor claimed was popped by a worker that died, or lost with the broker.
        assigned = {(row.job_id, row.stage) for row in flying if row.assigned}
        lost = [c for c in candidates if (c.job.id, c.stage) in assigned]
        if not lost:
            return
        with self._database.write() as connection:
            for candidate in lost:
                empty = depths[candidate.placement.queue] == 0
                age_s = min(_LOST_AFTER_S, self._settings.rehint_s) if empty else self._settings.rehint_s
                taken = queries.take_back(connection, candidate.job.id, candidate.stage, older_than_s=age_s)
                if taken:
                    log.info("hints_lost", job=candidate.job.id, stage=candidate.stage, tasks=taken)

    def _fill(
        self, candidates: Sequence[Candidate], depths: dict[str, int], busy: dict[str, int]
    ) -> list[tuple[str, Hint]]:
        free = {c.placement.queue: room(depths[c.placement.queue], c.placement.slots) for c in candidates}
        hints: list[tuple[str, Hint]] = []
        waiting = [c for c in candidates if free[c.placement.queue]]
        if not waiting:
            return hints
        with self._database.write() as connection:
            while waiting:
                chosen = min(waiting, key=lambda c: _turn(c.job, busy))
                queue = chosen.placement.queue
                share = free[queue] if len(waiting) == 1 else 1
                made = self._bundles(connection, chosen, share)
                hints += [(queue, hint) for hint in made]
                free[queue] -= len(made)
                busy[chosen.job.owner_id] = busy.get(chosen.job.owner_id, 0) + sum(
                    len(h.chunks) for h in made
                )
                waiting = [
                    c
                    for c in waiting
                    if free[c.placement.queue] > 0 and not (c is chosen and len(made) < share)
                ]
        return hints

    def _bundles(self, connection: Connection, candidate: Candidate, count: int) -> list[Hint]:
        job, stage, placement = candidate.job, candidate.stage, candidate.placement
        # While the partitioner runs, more is to come than is known.
        out = candidate.flying if job.state == JobState.PARTITIONED else 0
        remaining = max(job.chunks - job.completed - out, 1)
        size = bundle_size(
            Pace(completed=job.completed, busy_s=job.busy_s, remaining=remaining), placement.slots
        )
        rows = queries.next_chunks(connection, job.id, stage, size * count)
        bundles = split([(row.chunk, row.infra_failures) for row in rows], size)[:count]
        wanted = [chunk for bundle in bundles for chunk in bundle]
        marked = queries.mark_assigned(connection, job.id, stage, wanted) if wanted else set()
        return [
            Hint(
                job_id=job.id,
                stage=stage,
                chunks=tuple(c for c in bundle if c in marked),
                needs=placement.needs,
            )
            for bundle in bundles
            if marked.intersection(bundle)
        ]

    def _send(self, hints: Sequence[tuple[str, Hint]]) -> None:
        sent = self._queues.send(hints)
        if sent == len(hints):
            return
        with self._database.write() as connection:
            for _, hint in hints[sent:]:
                queries.take_back(connection, hint.job_id, hint.stage, older_than_s=0, chunks=hint.chunks)


def live_machines(connection: Connection, settings: Settings) -> list[Machine]:
    """Return the connected workers as machines to place on."""
    return [
        Machine(
            capacity=Capacity(cores=row.cores, memory_mib=row.memory_mib, gpus=tuple(row.gpus)),
            slots=row.slots,
        )
        for row in workers.live(connection, settings.lease_s)
    ]


def _open_stages(state: JobState) -> tuple[Stage, ...]:
    if state in {JobState.STARTED, JobState.UPLOADING, JobState.PARTITIONING}:
        return (Stage.PARTITION, Stage.APP)
    if state is JobState.PARTITIONED:
        return (Stage.APP,)
    if state in {JobState.MERGED, JobState.DOWNLOADING}:
        return (Stage.DELIVER,)
    return (Stage.ASSEMBLE,)


def _turn(job: AnyRow, busy: dict[str, int]) -> tuple[int, float, int]:
    """Return what sorts a job among those that wait; the least comes first."""
    return max(0, -job.priority), busy.get(job.owner_id, 0) / job.weight, -job.priority


def _in_flight_by_owner(jobs: Sequence[AnyRow], flying: Sequence[AnyRow]) -> dict[str, int]:
    owner = {job.id: job.owner_id for job in jobs}
    busy: dict[str, int] = {}
    for row in flying:
        if row.job_id in owner:
            busy[owner[row.job_id]] = busy.get(owner[row.job_id], 0) + row.total
    return busy
