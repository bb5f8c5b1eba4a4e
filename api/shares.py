"""What one account may hold of a control plane at once, so that there is room for the others: streams, long calls."""

from asyncio import Semaphore
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from gridloom.errors import TooMany, Unavailable

_RETRY_AFTER_S = 5

Chunk = TypeVar("Chunk")


class StreamRoom:
    """Counts the open streams, in all and by account."""

    def __init__(self, *, most: int, most_each: int) -> None:
        self._most, self._most_each = most, most_each
        self._open = Counter[str]()

    def check(self, account_id: str) -> None:
        """Refuse one more stream of an account where there is no room for it.

        Raises:
            TooMany: when the account has as many as one may have.
            Unavailable: when this process serves as many as it can.
        """
        if self._open[account_id] >= self._most_each:
            raise TooMany(
                f"{self._most_each} streams of the account are open, which is its limit",
                retry_after_s=_RETRY_AFTER_S,
            )
        if self._open.total() >= self._most:
            raise Unavailable("too many streams are open; try again later")

    async def counted(self, account_id: str, chunks: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
        """Yield the chunks of an account's stream, and count it until it ends."""
        self._open[account_id] += 1
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
        finally:
            self._open[account_id] -= 1
            if not self._open[account_id]:
                del self._open[account_id]


@dataclass(slots=True)
class _Turn:
    free: Semaphore
    users: int = 0


class Turns:
    """Lets each account do so many long things at once; the next ones wait, and hold no thread meanwhile."""

    def __init__(self, at_once: int = 4) -> None:
        self._at_once = at_once
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def taken(self, account_id: str) -> AsyncIterator[None]:
        """Wait for the account's turn, and have it to the end of the block."""
        turn = self._turns.setdefault(account_id, _Turn(Semaphore(self._at_once)))
        turn.users += 1
        try:
            async with turn.free:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[account_id]

    async def each(self, account_id: str, chunks: Iterator[Chunk]) -> AsyncGenerator[Chunk]:
        """Yield chunks that take long to make, each made in a thread when it is the account's turn."""
        while True:
            async with self.taken(account_id):
                chunk = await run_in_threadpool(next, chunks, None)
            if chunk is None:
                return
            yield chunk
