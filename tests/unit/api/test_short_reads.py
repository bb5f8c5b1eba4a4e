import threading

import anyio
import pytest

from api.short_reads import run_short
from tests.fixtures.fabric import database

__all__ = ["database"]


def test_a_short_read_leaves_the_event_loop_only_where_a_reader_may_wait(database):
    async def where() -> tuple[int, int]:
        return threading.get_ident(), await run_short(database, threading.get_ident)

    loop, reader = anyio.run(where)
    assert (loop == reader) is database.is_sqlite


def test_what_a_short_read_raises_is_raised(database):
    async def fail() -> None:
        await run_short(database, int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        anyio.run(fail)
