"""The passthrough engines: the fabric moves the bytes itself and starts no process."""

import json
from pathlib import PurePosixPath

from gridloom.buckets import BucketPlace
from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.flat_merge import is_by_chunk, merge_candidates
from gridloom.states import EndReason
from gridloom.wire import NewChunk, OutputFile, OutputsRequest
from storage.buckets.bucket import ObjectInfo
from storage.sources.bucket import failures_named, names_of, place_of, reference_digest
from storage.sources.local_paths import printable
from storage.sources.objects import find_objects
from worker.attempt import Attempt, Phase
from worker.chunk_upload import ChunkUpload
from worker.collect import collect

_KEY_CHARS, _ETAG_CHARS = 1024, 200  # of the columns that keep them


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


class ObjectsAsChunks:
    """Makes each object of a source in a bucket one chunk without moving a byte: whoever runs it fetches it there."""

    phase: Phase = "stored"

    def prepare(self, attempt: Attempt) -> None:
        """List the objects and register them.

        Raises:
            AttemptFailed: when the source can't be had, or holds what can't be a chunk.
            LeaseLost: when the lease ended meanwhile.
        """
        shop, source = attempt.shop, attempt.work.source
        if source is None:
            raise RunnerFailed("no data source was named")
        place, names = place_of(source), names_of(source)
        upload, count = ChunkUpload(attempt), 0
        with failures_named(), shop.buckets.use(place) as bucket:
            objects = find_objects(
                bucket, names, at_a_time=shop.settings.transfers, check=attempt.lease.check
            )
            for count, found in enumerate(objects, 1):
                upload.refer(_reference(place, found.info, count - 1, attempt))
        upload.flush()
        attempt.note(f"listed {count} objects of the data source")
        attempt.total = count

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing was made."""


def _reference(place: BucketPlace, info: ObjectInfo, index: int, attempt: Attempt) -> NewChunk:
    settings = attempt.shop.settings
    most, most_mib = attempt.work.max_chunks or settings.max_chunks, settings.max_upload_mib
    if index >= most:
        raise AttemptFailed(EndReason.DATA_SOURCE, f"the data source holds more than {most} objects")
    problem = ""
    if info.size > most_mib * 1024 * 1024:
        problem = f"has {info.size} bytes; a chunk may have {most_mib} MiB"
    elif "\0" in info.key or len(info.key) > _KEY_CHARS:
        problem = f"has a key that holds a zero or more than {_KEY_CHARS} characters"
    elif not 0 < len(info.etag) <= _ETAG_CHARS:
        problem = "has no ETag by which to see that it stays the same"
    if problem:
        raise AttemptFailed(
            EndReason.DATA_SOURCE, f"the data source's object {printable(info.key)[:200]} {problem}"
        )
    digest = reference_digest(place, info)
    return NewChunk(index=index, size=info.size, sha256=digest, key=info.key, etag=info.etag)


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
