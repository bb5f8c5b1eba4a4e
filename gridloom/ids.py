"""Identifiers: random UUIDs for records, and task ids that carry their job, stage and chunk.

A task has no column for its id: the id is a UUID of version 8 (RFC 9562, section 5.8) made of 80 bits of the job's
id, the stage and the chunk number, so a million tasks cost no index and any task id leads back to its row.
"""

import secrets
import uuid
from functools import lru_cache
from typing import NewType

from gridloom.states import Stage

TaskId = NewType("TaskId", str)

_STAGES = (Stage.PARTITION, Stage.APP, Stage.ASSEMBLE, Stage.DELIVER)


def new_uuid() -> str:
    """Return a random UUID as text."""
    return str(uuid.uuid4())


def new_token(prefix: str) -> str:
    """Return a random token of 288 bits that starts with `prefix`, e.g. `glk_…`; some clients refuse less than 50 characters."""
    return f"{prefix}_{secrets.token_urlsafe(36)}"


def is_uuid(text: str) -> bool:
    """Tell whether `text` is a UUID in its usual form."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def task_id(job_id: str, stage: Stage, chunk: int) -> TaskId:
    """Return the id of the task of `chunk` (0 for all stages but the app's) in a job."""
    return TaskId(_task_id_head(job_id, stage) + chunk.to_bytes(4, "big").hex())


@lru_cache(maxsize=1024)
def _task_id_head(job_id: str, stage: Stage) -> str:
    """Return what the ids of a stage's tasks have in common: all but the last eight digits."""
    job = uuid.UUID(job_id).bytes
    head = job[:6] + bytes((0x80 | job[6] & 0x0F, job[7]))
    tail = bytes((0x80 | _STAGES.index(stage), job[8], job[14], job[15]))
    return str(uuid.UUID(bytes=head + tail + bytes(4)))[:-8]


def parse_task_id(job_id: str, text: str) -> tuple[Stage, int]:
    """Return stage and chunk of a task id.

    Raises:
        ValueError: when the text is no task id, or one of another job.
    """
    raw = uuid.UUID(text).bytes
    code = raw[8] & 0x3F
    if code >= len(_STAGES):
        raise ValueError(f"{text} is not a task id")
    stage, chunk = _STAGES[code], int.from_bytes(raw[12:], "big")
    if task_id(job_id, stage, chunk) != text.lower():
        raise ValueError(f"task {text} does not belong to job {job_id}")
    return stage, chunk
