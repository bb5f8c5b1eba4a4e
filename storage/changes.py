"""Notes of what a write transaction does to jobs and tasks; handed on once it is committed, forgotten when it is not.

Repositories note while they write. Where nobody listens for changes, a note costs a look into a dictionary.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from gridloom.changes import JobChange, TaskMoves
from gridloom.states import Stage, TaskState

OPTION = "gridloom_changes"  #: the execution option of a connection that holds its transaction's notes


@dataclass(slots=True)
class _Noted:
    shown: bool = False
    deleted: bool = False
    moves: list[TaskMoves] = field(default_factory=list)


class Notes:
    """The notes of one transaction."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Noted] = {}

    def of(self, job_id: str) -> _Noted:
        """Return a job's notes, to be added to."""
        return self._jobs.setdefault(job_id, _Noted())

    def changes(self, at: float) -> list[JobChange]:
        """Return what was noted of each job, committed at `at`."""
        return [
            JobChange(job_id=job_id, at=at, shown=it.shown, deleted=it.deleted, moves=tuple(it.moves))
            for job_id, it in self._jobs.items()
        ]


def note_job(connection: Connection, job_id: str) -> None:
    """Note that a job's own row changed."""
    if (noted := _noted(connection, job_id)) is not None:
        noted.shown = True


def note_deleted(connection: Connection, job_id: str) -> None:
    """Note that a job's owner removed it."""
    if (noted := _noted(connection, job_id)) is not None:
        noted.deleted = True


def note_tasks(
    connection: Connection, job_id: str, stage: Stage | str, state: TaskState, tasks: Iterable[Sequence[int]]
) -> None:
    """Note that tasks, pairs of chunk and attempt, came into a state."""
    if (noted := _noted(connection, job_id)) is None:
        return
    if pairs := tuple((chunk, attempt) for chunk, attempt in tasks):
        noted.moves.append(TaskMoves(stage=Stage(stage), state=state, tasks=pairs))


def _noted(connection: Connection, job_id: str) -> _Noted | None:
    notes: Notes | None = connection.get_execution_options().get(OPTION)
    return None if notes is None else notes.of(job_id)
