"""What a delivery works with: where bytes come from, where they may lie on their way, and threads that stop together."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from storage.blobs import BlobStore
from storage.buckets.side_by_side import side_by_side

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryContext:
    """`scratch` is an empty folder, `check` raises to stop the delivery, `say` takes lines of its log."""

    store: BlobStore
    scratch: Path
    transfers: int
    check: Callable[[], None]
    say: Callable[[str], None]
    has_room: Callable[[], bool]


class Crew:
    """Does so many things at a time; the first failure stops what else goes on."""

    def __init__(self, width: int, check: Callable[[], None]) -> None:
        self._width, self._stop = width, check
        self._pool = ThreadPoolExecutor(width, "deliver")
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def each(self, work: Callable[[T], None], things: Iterable[T]) -> None:
        """Do `work` on each thing.

        Raises:
            Exception: the first that any work raised, or `things`, or the crew's `check`.
        """

        def watched(thing: T) -> None:
            try:
                self.check()
                work(thing)
            except Exception as error:
                self._failure = self._failure or error
                raise

        try:
            side_by_side(self._pool, watched, things, self._width)
        finally:
            if self._failure is not None:
                raise self._failure

    def check(self) -> None:
        """Raise what has failed elsewhere, or what the crew's `check` raises."""
        if self._failure is not None:
            raise self._failure
        self._stop()
