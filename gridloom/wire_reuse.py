"""Messages between worker and control plane about earlier results that stand for a task's own."""

from pydantic import Field

from gridloom.reuse import ReuseNote
from gridloom.wire import BUNDLE_MAX, Message, ResultFile


class ReuseRequest(Message):
    """Ask for earlier results of a bundle's tasks; `image` is the digest that they would run in, "" without one."""

    job_id: str
    chunks: tuple[int, ...] = Field(max_length=BUNDLE_MAX)
    image: str


class Reused(Message):
    """What was found for one task, and the files of the earlier result."""

    chunk: int
    note: ReuseNote
    files: tuple[ResultFile, ...] = ()


class ReuseReply(Message):
    """What was found for each of the tasks."""

    found: tuple[Reused, ...]
