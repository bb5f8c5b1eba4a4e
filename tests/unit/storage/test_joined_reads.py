"""Neighbouring spans come with one read, each into its own file."""

from pathlib import Path

import pytest

from gridloom.errors import BlobMissing, StoreUnavailable
from storage import joined_reads
from storage.folder import FolderStore
from storage.joined_reads import JoinedReads


class CountingStore(FolderStore):
    """A folder that notes what is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, durable=False)
        self.reads: list[tuple[str, int, int | None]] = []

    def get_bytes(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self.reads.append((key, offset, length))
        return super().get_bytes(key, offset, length)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    store = CountingStore(tmp_path / "store")
    store.put_bytes("a", b"0123456789")
    store.put_bytes("b", b"abcdef")
    return store


def test_neighbours_come_together_whatever_their_order(store: CountingStore, tmp_path: Path) -> None:
    reads = JoinedReads(store)
    spans = {"1": ("a", 4, 2), "2": ("b", 0, 6), "3": ("a", 0, 4), "4": ("a", 8, 1), "5": ("a", 4, 0)}
    for name, (key, offset, size) in spans.items():
        reads.get_file(key, tmp_path / name, offset, size)
        with pytest.raises(FileExistsError):
            reads.get_file(key, tmp_path / name, offset, size)
    reads.finish()
    assert {it: (tmp_path / it).read_bytes() for it in spans} == {
        "1": b"45",
        "2": b"abcdef",
        "3": b"0123",
        "4": b"8",
        "5": b"",
    }
    assert store.reads == [("a", 0, 6), ("a", 8, 1), ("b", 0, 6)]


def test_no_more_than_a_batch_is_kept_in_memory(
    store: CountingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined_reads, "BATCH_BYTES", 4)
    monkeypatch.setattr(joined_reads, "SMALL_BYTES", 5)
    reads = JoinedReads(store)
    for name, (offset, size) in enumerate([(0, 2), (2, 2), (4, 1), (0, 6)]):
        reads.get_file("a", tmp_path / str(name), offset, size)
    assert store.reads == [("a", 0, 4)]
    assert (tmp_path / "3").read_bytes() == b"012345"
    reads.finish()
    assert (tmp_path / "2").read_bytes() == b"4"


@pytest.mark.parametrize(("key", "error"), [("a", StoreUnavailable), ("c", BlobMissing)])
def test_bytes_that_are_not_there_are_missed(
    store: CountingStore, tmp_path: Path, key: str, error: type[Exception]
) -> None:
    reads = JoinedReads(store)
    reads.get_file(key, tmp_path / "x", 8, 3)
    with pytest.raises(error):
        reads.finish()
