"""Transfers side by side: their bounds, and their end when one fails."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier, Event, Lock

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


def test_as_many_run_at_a_time_as_may_and_files_are_asked_for_only_soon_before(
    make: Callable[..., Transfers],
) -> None:
    together, lock = Barrier(4, timeout=10), Lock()
    asked = fetched = 0

    def files() -> Iterator[int]:
        nonlocal asked
        for number in range(40):
            asked += 1
            assert asked - fetched <= 9
            yield number

    def fetch(_number: int) -> str:
        nonlocal fetched
        together.wait()
        with lock:
            fetched += 1
        return "it"

    transfers = make()
    transfers.each(fetch, files())
    assert transfers.files == 40


def test_the_bytes_of_all_are_counted_together(make: Callable[..., Transfers]) -> None:
    seen: list[int] = []
    transfers = make(on_progress=seen.append)

    def fetch(size: int) -> str:
        transfers.moved(size)
        return "it"

    transfers.each(fetch, [30] * 3)
    assert sorted(seen) == [30, 60, 90]
    with pytest.raises(AttemptFailed, match="more than the limit of 50 bytes") as caught:
        make(limit_bytes=50).moved(51)
    assert caught.value.reason is EndReason.DATA_SOURCE


def test_the_first_failure_is_told_and_stops_the_others(make: Callable[..., Transfers]) -> None:
    transfers, running = make(transfers=2), Event()

    def fetch(file: str) -> str:
        if file == "fails":
            running.wait(10)
            raise LeaseLost("gone")
        while True:
            running.set()
            transfers.moved(0)

    with pytest.raises(LeaseLost, match="gone"):
        transfers.each(fetch, ["endless", "fails"])
