"""Transfers side by side: their bounds, and their end when one fails."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier, Event

import pytest

from gridloom.errors import AttemptFailed, LeaseLost
from gridloom.states import EndReason
from storage.folder import FolderStore
from storage.sources.context import Progress, SourceContext, ignore_progress
from storage.sources.transfers import Transfers


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Transfers]:
    def made(
        transfers: int = 4, limit_bytes: int = 100, on_progress: Progress = ignore_progress
    ) -> Transfers:
        context = SourceContext(
            store=FolderStore(tmp_path / "store"),
            limit_bytes=limit_bytes,
            transfers=transfers,
            on_progress=on_progress,
        )
        return Transfers(context)

    return made


def test_as_many_run_at_a_time_as_may_and_calls_are_asked_for_only_soon_before(
    make: Callable[..., Transfers],
) -> None:
    together = Barrier(4, timeout=10)
    asked = []

    def calls() -> Iterator[Callable[[], int]]:
        for number in range(40):
            asked.append(number)
            yield together.wait

    results = make().run(calls())
    next(results)
    assert len(asked) <= 9
    assert len(list(results)) == 39


def test_the_bytes_of_all_are_counted_together(make: Callable[..., Transfers]) -> None:
    seen: list[int] = []
    transfers = make(on_progress=seen.append)
    list(transfers.run([lambda: transfers.moved(30)] * 3))
    assert sorted(seen) == [30, 60, 90]
    with pytest.raises(AttemptFailed, match="more than the limit of 50 bytes") as caught:
        make(limit_bytes=50).moved(51)
    assert caught.value.reason is EndReason.DATA_SOURCE


def test_the_first_failure_is_told_and_stops_the_others(make: Callable[..., Transfers]) -> None:
    transfers, running = make(transfers=2), Event()

    def endless() -> None:
        while True:
            running.set()
            transfers.moved(0)

    def fail() -> None:
        running.wait(10)
        raise LeaseLost("gone")

    with pytest.raises(LeaseLost, match="gone"):
        list(transfers.run([endless, fail]))


def test_a_listing_that_watches_the_transfers_is_stopped_by_their_failure(
    make: Callable[..., Transfers],
) -> None:
    transfers = make(transfers=2)

    def fail() -> None:
        raise LeaseLost("gone")

    def calls() -> Iterator[Callable[[], None]]:
        yield fail
        while True:
            transfers.moved(0)

    with pytest.raises(LeaseLost, match="gone"):
        list(transfers.run(calls()))


def test_a_listing_that_fails_ends_it(make: Callable[..., Transfers]) -> None:
    def calls() -> Iterator[Callable[[], None]]:
        yield lambda: None
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(make().run(calls()))
