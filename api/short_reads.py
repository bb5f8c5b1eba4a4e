"""Short reads, for the calls that come most often: they spare themselves the way through a thread where they can."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from fastapi.concurrency import run_in_threadpool

from storage.db import Database

Answer = TypeVar("Answer")
Args = ParamSpec("Args")


async def run_short(
    database: Database, read: Callable[Args, Answer], *args: Args.args, **kwargs: Args.kwargs
) -> Answer:
    """Call `read`, which does no more than one `Database.look`: at once on SQLite, else in a thread."""
    if database.is_sqlite:
        return read(*args, **kwargs)
    return await run_in_threadpool(read, *args, **kwargs)
