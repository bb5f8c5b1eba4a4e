"""The assembler's files: stored under the attempt's own prefix, small ones together, and registered page by page."""

from gridloom.wire import INLINE_RESULT_BYTES, OutputFile, OutputsRequest
from worker.attempt import Attempt, Phase
from worker.collect import collect
from worker.file_bytes import read_whole

_PAGE = 500
_PACK_BYTES = 8 * 1024 * 1024


class Outputs:
    """Collects OUTPUT_DIR."""

    phase: Phase = "stored"

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._packed_bytes = 0
        self._in_pack: list[tuple[str, int, int]] = []  # path, size, offset
        self._stored: list[OutputFile] = []
        self._objects = 0

    def prepare(self, attempt: Attempt) -> None:
        """Store and register every file.

        Raises:
            AttemptFailed: when the output breaks the rules of results.
        """
        for found in collect(attempt.place("OUTPUT_DIR"), attempt.shop.result_limits):
            path = str(found.path)
            if found.size <= INLINE_RESULT_BYTES:
                self._pack(path, read_whole(found.fd, found.size))
            else:
                key = self._next_key(attempt)
                attempt.shop.store.put_fd(key, found.fd, found.size)
                self._stored.append(OutputFile(path=path, size=found.size, key=key))
            if self._packed_bytes >= _PACK_BYTES or len(self._in_pack) >= _PAGE:
                self._store_pack(attempt)
            self._register(attempt, at_least=_PAGE)
        self._store_pack(attempt)
        self._register(attempt, at_least=1)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole."""

    def _pack(self, path: str, data: bytes) -> None:
        self._in_pack.append((path, len(data), self._packed_bytes))
        self._packed.append(data)
        self._packed_bytes += len(data)

    def _store_pack(self, attempt: Attempt) -> None:
        if not self._in_pack:
            return
        key = self._next_key(attempt)
        attempt.shop.store.put_bytes(key, b"".join(self._packed))
        self._stored += [
            OutputFile(path=path, size=size, key=key, offset=at) for path, size, at in self._in_pack
        ]
        self._packed, self._packed_bytes, self._in_pack = [], 0, []

    def _register(self, attempt: Attempt, *, at_least: int) -> None:
        while len(self._stored) >= at_least:
            page, self._stored = self._stored[:_PAGE], self._stored[_PAGE:]
            request = OutputsRequest(
                job_id=attempt.lease.job_id, attempt=attempt.lease.attempt, files=tuple(page)
            )
            attempt.shop.control.outputs(request, attempt.wanted)

    def _next_key(self, attempt: Attempt) -> str:
        self._objects += 1
        return f"{attempt.prefix}/{self._objects - 1}"
