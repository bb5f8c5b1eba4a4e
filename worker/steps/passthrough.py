"""The passthrough engines: the fabric moves the bytes itself and starts no process."""

import json
from pathlib import PurePosixPath

from gridloom.flat_merge import is_by_chunk, merge_candidates
from gridloom.wire import OutputFile, OutputsRequest
from worker.attempt import Attempt, Phase
from worker.chunk_upload import ChunkUpload
from worker.collect import collect


class SourceAsChunks:
    """Makes each file of the source one chunk, byte for byte, in the order of their names."""

    phase: Phase = "stored"

    def prepare(self, attempt: Attempt) -> None:
        """Register the chunks."""
        upload, count = ChunkUpload(attempt), 0
        for found in collect(attempt.place("SOURCE_DIR"), attempt.shop.source_limits):
            upload.add(count, found.fd, found.size)
            count += 1
        upload.flush()
        attempt.total = count

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole."""


class OutputsAsTheyAre:
    """Makes every result file an output file, by reference, in the one merged folder or in its chunk's."""

    phase: Phase = "stored"

    def prepare(self, attempt: Attempt) -> None:
        """Register the outputs page by page."""
        lease, control = attempt.lease, attempt.shop.control
        names = _Names(by_chunk=is_by_chunk(json.loads(attempt.work.env["ASSEMBLER_PARAMS"])))
        place: int | None = 0
        while place is not None:
            page = control.results(lease.job_id, lease.attempt, place, attempt.wanted)
            files = tuple(
                OutputFile(
                    path=names.give(it.name, task.chunk), size=it.size, key=it.key or "", offset=it.offset
                )
                for task in page.tasks
                for it in task.files
            )
            if files:
                request = OutputsRequest(job_id=lease.job_id, attempt=lease.attempt, files=files)
                control.outputs(request, attempt.wanted)
            place = page.next_chunk

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing was made."""


class _Names:
    """Names given so far: no file has the name of another, nor of another's folder."""

    def __init__(self, *, by_chunk: bool) -> None:
        self._by_chunk = by_chunk
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def give(self, name: str, chunk: int) -> str:
        chosen = next(
            it for it in merge_candidates(name, chunk, by_chunk=self._by_chunk) if self._is_free(it)
        )
        self._files.add(chosen)
        self._folders.update(map(str, PurePosixPath(chosen).parents))
        return chosen

    def _is_free(self, name: str) -> bool:
        above = map(str, PurePosixPath(name).parents)
        return not (name in self._files or name in self._folders) and self._files.isdisjoint(above)
