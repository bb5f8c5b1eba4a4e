"""Fetches many spans of few objects into files with few reads: neighbours come together."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gridloom.errors import StoreUnavailable
from storage.blobs import BlobStore
from storage.local_files import disk_errors, new_file

_SMALL_BYTES = 1 << 20
_BATCH_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    key: str
    offset: int
    size: int
    path: Path

    @property
    def end(self) -> int:
        return self.offset + self.size


class JoinedReads:
    """Makes files at once and fills them soon, at the latest when `finish` is called."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._spans: list[_Span] = []
        self._bytes = 0

    def get_file(self, key: str, path: Path, offset: int, length: int) -> None:
        """Make a new file that gets bytes of an object.

        Raises:
            FileExistsError: when there is something of this name.
            BlobMissing, StoreUnavailable: when these bytes, or those of an earlier file, can't be had.
        """
        if length > _SMALL_BYTES:
            _check(key, self._store.get_file(key, path, offset, length), length)
            return
        with new_file(path):
            pass
        self._spans.append(_Span(key=key, offset=offset, size=length, path=path))
        self._bytes += length
        if self._bytes >= _BATCH_BYTES:
            self.finish()

    def finish(self) -> None:
        """Fill what is not filled yet; raises as `get_file`."""
        spans = sorted((it for it in self._spans if it.size), key=lambda it: (it.key, it.offset))
        self._spans, self._bytes = [], 0
        for run in _runs(spans):
            key, start = run[0].key, run[0].offset
            length = run[-1].end - start
            data = memoryview(self._store.get_bytes(key, start, length))
            _check(key, len(data), length)
            with disk_errors(key):
                for span in run:
                    span.path.write_bytes(data[span.offset - start : span.end - start])


def _runs(spans: list[_Span]) -> Iterator[list[_Span]]:
    run: list[_Span] = []
    for span in spans:
        if run and (span.key, span.offset) != (run[-1].key, run[-1].end):
            yield run
            run = []
        run.append(span)
    if run:
        yield run


def _check(key: str, count: int, wanted: int) -> None:
    if count != wanted:
        raise StoreUnavailable(f"{key} ends after {count} of {wanted} bytes")
