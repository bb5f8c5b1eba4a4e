"""Frees tasks that a worker was given without hearing of it: the claim was committed, its answer was lost."""

from collections import defaultdict
from collections.abc import Collection

import structlog
from sqlalchemy import Connection

from gridloom.settings import Settings
from gridloom.states import Stage
from gridloom.wire import Hold
from storage.columns import AnyRow
from storage.repositories import job_states, strays, tasks

log = structlog.get_logger()

STRAY_S = 15.0
"""How old a lease is that its worker doesn't name before it counts as unknown there: longer than a worker waits for
the answer to a claim, shorter than a lease."""

_Key = tuple[str, str, int, int]


def found(connection: Connection, worker_id: str, holds: Collection[Hold], settings: Settings) -> bool:
    """Tell whether a worker that names these leases seems to hold others."""
    return bool(_unnamed(connection, worker_id, holds, settings, lock=False))


def release(connection: Connection, worker_id: str, holds: Collection[Hold], settings: Settings) -> set[str]:
    """Hand back untouched what a worker that names these leases doesn't know of; return the jobs concerned.

    The attempt numbers stay raised, so that an answer which arrives after all leads to nothing.
    """
    # Jobs before tasks, as everybody does, and the tasks once more when they can't change any longer.
    concerned = {row.job_id for row in _unnamed(connection, worker_id, holds, settings, lock=False)}
    job_states.lock(connection, concerned)
    groups: dict[tuple[str, Stage], list[tuple[int, int]]] = defaultdict(list)
    for row in _unnamed(connection, worker_id, holds, settings, lock=True):
        if row.job_id in concerned:
            groups[row.job_id, Stage(row.stage)].append((row.chunk, row.attempt))
    for (job_id, stage), held in groups.items():
        freed = tasks.release(connection, worker_id, job_id, stage, held)
        log.warning("strays_released", worker=worker_id, job=job_id, stage=stage, tasks=freed)
    return {job_id for job_id, _ in groups}


def _unnamed(
    connection: Connection, worker_id: str, holds: Collection[Hold], settings: Settings, *, lock: bool
) -> list[AnyRow]:
    named: set[_Key] = {(it.job_id, it.stage, it.chunk, it.attempt) for it in holds}
    rows = strays.unrenewed(connection, worker_id, lease_s=settings.lease_s, for_s=STRAY_S, lock=lock)
    return [row for row in rows if (row.job_id, row.stage, row.chunk, row.attempt) not in named]
