"""What one committed transaction did to a job and its tasks: what listeners are told, and no more than that."""

from gridloom.states import Stage, TaskState
from gridloom.wire import Message


class TaskMoves(Message):
    """Tasks of one stage that came into the same state: pairs of chunk and attempt."""

    stage: Stage
    state: TaskState
    tasks: tuple[tuple[int, int], ...]


class JobChange(Message):
    """One job's part of a transaction that was committed at `at`, seconds since 1970.

    `shown` tells that the job's own row changed, `deleted` that its owner removed it.
    """

    job_id: str
    at: float
    shown: bool = False
    deleted: bool = False
    moves: tuple[TaskMoves, ...] = ()
