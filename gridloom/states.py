"""States of jobs and tasks, why an attempt ended, and the one table of allowed moves.

A state is only ever changed by a compare-and-set that names its allowed origins, so `sources_of` is what every
UPDATE asks; see `docs/glossary.md` for the words and ARCHITECTURE.md for the chart.
"""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is; the values are the published wire names."""

    NEW = "JOB_STATE_NEW"  #: a draft, may still be edited
    STARTED = "JOB_STATE_STARTED"  #: accepted for execution
    UPLOADING = "JOB_STATE_UPLOADING"  #: the source is being moved into the fabric
    PARTITIONING = "JOB_STATE_PARTITIONING"  #: the partitioner runs; finished chunks already run as tasks
    PARTITIONED = "JOB_STATE_PARTITIONED"  #: every chunk exists
    TASKS_COMPLETED = "JOB_STATE_TASKS_COMPLETED"  #: every task is done
    MERGING = "JOB_STATE_MERGING"  #: the assembler runs
    MERGED = "JOB_STATE_MERGED"  #: the output stands, in the fabric's own store
    DOWNLOADING = "JOB_STATE_DOWNLOADING"  #: output is moved to the destination
    COMPLETE = "JOB_STATE_COMPLETE"
    FAILED = "JOB_STATE_FAILED"
    ABORTED = "JOB_STATE_ABORTED"


class TaskState(StrEnum):
    """Where a task is; the values are the published wire names."""

    SCHEDULED = "Scheduled"  #: exists and may be handed out
    ASSIGNED = "Assigned"  #: a hint that names it was sent to a queue
    RECEIVED = "Received"  #: a worker holds its lease
    RUNNING = "Running"  #: its process runs
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Aborted"


class Stage(StrEnum):
    """What a task does: run one of a job's three building blocks, or deliver what they made."""

    PARTITION = "partition"
    APP = "app"
    ASSEMBLE = "assemble"
    DELIVER = "deliver"  #: runs no user code: moves the output to its destination


class EndReason(StrEnum):
    """Why an attempt ended without a committed result, or a job without a complete one."""

    EXIT_NONZERO = "exit_nonzero"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    BAD_OUTPUT = "bad_output"  #: results or chunks that break the rules: links, gaps, too many, too large
    CANCELLED = "cancelled"
    WORKER_LOST = "worker_lost"
    WORKER_STOPPED = "worker_stopped"  #: handed back by a draining worker, or never started; costs no budget
    RUNNER_FAILED = "runner_failed"
    IMAGE_UNAVAILABLE = "image_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    DISK_FULL = "disk_full"
    DATA_SOURCE = "data_source"  #: it can't be had, or is no longer what it was
    SOURCE_UNAVAILABLE = "source_unavailable"  #: it can't be reached now
    DESTINATION = "destination"  #: it can't be reached now
    DESTINATION_REFUSED = (
        "destination_refused"  #: missing, denied, or it holds a file that may not be replaced
    )
    BAD_COMPONENT = "bad_component"  #: manifest, schema or secret that can't be used
    POISON = "poison"  #: the chunk took down its worker too often
    UNPLACEABLE = "unplaceable"  #: no live worker can ever meet the requirements
    JOB_TIMEOUT = "job_timeout"


class Blame(StrEnum):
    """Which retry budget pays for an ended attempt."""

    USER = "user"  #: the job's maxTaskRetries
    INFRASTRUCTURE = "infrastructure"  #: the fabric's own budget, with back-off
    NOBODY = "nobody"  #: handed back untouched: retried at once, costs nothing
    FATAL = "fatal"  #: trying again can't help


BLAME: dict[EndReason, Blame] = {
    EndReason.EXIT_NONZERO: Blame.USER,
    EndReason.TIMEOUT: Blame.USER,
    EndReason.OUT_OF_MEMORY: Blame.USER,
    EndReason.BAD_OUTPUT: Blame.USER,
    EndReason.CANCELLED: Blame.FATAL,
    EndReason.WORKER_LOST: Blame.INFRASTRUCTURE,
    EndReason.WORKER_STOPPED: Blame.NOBODY,
    EndReason.RUNNER_FAILED: Blame.INFRASTRUCTURE,
    EndReason.IMAGE_UNAVAILABLE: Blame.USER,
    EndReason.STORE_UNAVAILABLE: Blame.INFRASTRUCTURE,
    EndReason.DISK_FULL: Blame.INFRASTRUCTURE,
    EndReason.DATA_SOURCE: Blame.FATAL,
    EndReason.SOURCE_UNAVAILABLE: Blame.INFRASTRUCTURE,
    EndReason.DESTINATION: Blame.INFRASTRUCTURE,
    EndReason.DESTINATION_REFUSED: Blame.FATAL,
    EndReason.BAD_COMPONENT: Blame.FATAL,
    EndReason.POISON: Blame.FATAL,
    EndReason.UNPLACEABLE: Blame.FATAL,
    EndReason.JOB_TIMEOUT: Blame.FATAL,
}

JOB_ORDER: tuple[JobState, ...] = (
    JobState.NEW,
    JobState.STARTED,
    JobState.UPLOADING,
    JobState.PARTITIONING,
    JobState.PARTITIONED,
    JobState.TASKS_COMPLETED,
    JobState.MERGING,
    JobState.MERGED,
    JobState.DOWNLOADING,
    JobState.COMPLETE,
)
JOB_FINAL: frozenset[JobState] = frozenset({JobState.COMPLETE, JobState.FAILED, JobState.ABORTED})
JOB_LIVE: frozenset[JobState] = frozenset(JobState) - JOB_FINAL - {JobState.NEW}

#: The one way back: output that is still kept is delivered again, be it to another place.
REDELIVERY: dict[JobState, frozenset[JobState]] = dict.fromkeys(JOB_FINAL, frozenset({JobState.MERGED}))
JOB_MOVES: dict[JobState, frozenset[JobState]] = REDELIVERY | {
    state: frozenset(JOB_ORDER[place + 1 : place + 2]) | (JOB_FINAL - {JobState.COMPLETE} if place else set())
    for place, state in enumerate(JOB_ORDER[:-1])
}

TASK_FINAL: frozenset[TaskState] = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED})
TASK_LEASED: frozenset[TaskState] = frozenset({TaskState.RECEIVED, TaskState.RUNNING})
TASK_WAITING: frozenset[TaskState] = frozenset({TaskState.SCHEDULED, TaskState.ASSIGNED})

_BACK_OR_OUT = frozenset({TaskState.SCHEDULED, TaskState.FAILED, TaskState.CANCELLED})
TASK_MOVES: dict[TaskState, frozenset[TaskState]] = {
    # A claim takes Scheduled tasks as well, since a doubled hint may name one that came back. A commit takes waiting
    # ones whose lease lapsed but whom nobody claimed since: the token it carries is still the current one.
    TaskState.SCHEDULED: frozenset(
        {TaskState.ASSIGNED, TaskState.RECEIVED, TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED}
    ),
    TaskState.ASSIGNED: _BACK_OR_OUT | {TaskState.RECEIVED, TaskState.COMPLETED},
    TaskState.RECEIVED: _BACK_OR_OUT | {TaskState.RUNNING, TaskState.COMPLETED},
    TaskState.RUNNING: _BACK_OR_OUT | {TaskState.COMPLETED},
    # Only when a later run of the partitioner wrote other bytes under the same index.
    TaskState.COMPLETED: frozenset({TaskState.SCHEDULED}),
}


def job_sources_of(target: JobState) -> frozenset[JobState]:
    """Return the job states from which `target` may be reached in one move."""
    return frozenset(state for state, targets in JOB_MOVES.items() if target in targets)


def task_sources_of(target: TaskState) -> frozenset[TaskState]:
    """Return the task states from which `target` may be reached in one move."""
    return frozenset(state for state, targets in TASK_MOVES.items() if target in targets)


def job_path(origin: JobState, target: JobState) -> tuple[JobState, ...]:
    """Return the states that a job passes on its way from `origin` (left out) to `target` (included).

    Raises:
        ValueError: when `target` does not lie ahead of `origin` on the ordinary way.
    """
    start, end = JOB_ORDER.index(origin), JOB_ORDER.index(target)
    if end <= start:
        raise ValueError(f"{target} does not lie ahead of {origin}")
    return JOB_ORDER[start + 1 : end + 1]
