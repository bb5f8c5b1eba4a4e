"""Reads many pieces of few objects with few calls: neighbours come together."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gridloom.errors import StoreUnavailable
from storage.blobs import BlobStore
from storage.local_files import disk_errors, new_file

SMALL_BYTES = 1 << 20  #: larger pieces are worth a call of their own
BATCH_BYTES = 8 << 20  #: of small pieces, which are in memory together


class Piece(NamedTuple):
    """Bytes of an object."""

    key: str
    offset: int
    size: int


def read_joined(store: BlobStore, pieces: Sequence[Piece]) -> list[memoryview]:
    """Return the bytes of each piece.

    Raises:
        BlobMissing, StoreUnavailable: when they can't be had, or there are fewer.
    """
    found = [memoryview(b"")] * len(pieces)
    for run in _runs(pieces):
        key, start, _ = pieces[run[0]]
        _, offset, size = pieces[run[-1]]
        length = offset + size - start
        data = memoryview(store.get_bytes(key, start, length))
        _check(key, len(data), length)
        for number in run:
            offset = pieces[number].offset - start
            found[number] = data[offset : offset + pieces[number].size]
    return found


class JoinedReads:
    """Makes files at once and fills them soon, at the latest when `finish` is called."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._paths: list[Path] = []
        self._pieces: list[Piece] = []
        self._bytes = 0

    def get_file(self, key: str, path: Path, offset: int, length: int) -> None:
        """Make a new file that gets bytes of an object.

        Raises:
            FileExistsError: when there is something of this name.
            BlobMissing, StoreUnavailable: when these bytes, or those of an earlier file, can't be had.
        """
        if length > SMALL_BYTES:
            _check(key, self._store.get_file(key, path, offset, length), length)
            return
        with new_file(path):
            self._paths.append(path)
            self._pieces.append(Piece(key, offset, length))
        self._bytes += length
        if self._bytes >= BATCH_BYTES:
            self.finish()

    def finish(self) -> None:
        """Fill what is not filled yet; raises as `get_file`."""
        paths, pieces = self._paths, self._pieces
        self._paths, self._pieces, self._bytes = [], [], 0
        for path, piece, data in zip(paths, pieces, read_joined(self._store, pieces), strict=True):
            with disk_errors(piece.key):
                path.write_bytes(data)


def _runs(pieces: Sequence[Piece]) -> Iterator[list[int]]:
    """Yield the numbers of pieces that lie behind each other, without those that are empty."""
    run: list[int] = []
    end = ("", 0)
    for number in sorted((it for it, piece in enumerate(pieces) if piece.size), key=pieces.__getitem__):
        key, offset, size = pieces[number]
        if run and (key, offset) != end:
            yield run
            run = []
        run.append(number)
        end = key, offset + size
    if run:
        yield run


def _check(key: str, count: int, wanted: int) -> None:
    if count != wanted:
        raise StoreUnavailable(f"{key} ends after {count} of {wanted} bytes")
