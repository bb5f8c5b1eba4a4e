"""Delivers a job's output into a bucket: each file to its place, and last the manifest that vouches for all of them.

Every object carries the job's id, so that whoever delivers the same output again knows what is there already.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TextIO

from gridloom.destinations import MANIFESTS
from gridloom.errors import BucketFailed, BucketUnavailable, ObjectExists, StoreFull, StoreUnavailable
from gridloom.file_headers import media_type
from gridloom.wire import OutputFile
from storage.buckets.bucket import Bucket, ObjectInfo
from storage.destinations.context import DeliveryContext
from storage.destinations.present import OWNER, Present
from storage.side_by_side import SideBySide

_IN_MEMORY_BYTES = 4 << 20  # larger files go by the disk
_ON_DISK_AT_A_TIME = 4
_MOST_KEY_BYTES = 1024
_SAY_EVERY_S = 5.0
_SAY_EVERY_FILES = 1000


class BucketDelivery:
    """One delivery of one job's output to `folder`, or with "" to the bucket itself."""

    def __init__(
        self, bucket: Bucket, folder: str, job_id: str, context: DeliveryContext, *, overwrite: bool
    ) -> None:
        folder = folder.strip("/")
        self._bucket, self._job_id, self._context, self._overwrite = bucket, job_id, context, overwrite
        self._prefix = f"{folder}/" if folder else ""
        self._manifest = f"{MANIFESTS}/{job_id}.json"
        self._present = Present(bucket, self._prefix, job_id, overwrite=overwrite)
        self._on_disk, self._numbers, self._lock = BoundedSemaphore(_ON_DISK_AT_A_TIME), count(), Lock()
        self._files = self._bytes = self._skipped = 0
        self._began = time.monotonic()
        self._said_at = 0.0

    def run(self, files: Callable[[], Iterable[OutputFile]], *, again: bool) -> None:
        """Deliver what `files` yields each time that it is called; `again` says that an earlier try may have left
        uploads unfinished.

        Raises:
            BucketUnavailable: when the bucket can't be reached.
            BucketFailed: when it refuses; ObjectExists, with nothing written, when files may not be replaced.
            BlobMissing, StoreUnavailable: when the output can't be read.
            StoreFull: when a large file finds no room on this machine's disk.
        """
        draft = self._context.scratch / "manifest.json"
        with ThreadPoolExecutor(self._context.transfers, "deliver") as pool:
            moves = SideBySide(pool, self._context.transfers, self._context.check)
            self._present.find(moves, {self._checked(file.path): file.size for file in files()})
            with draft.open("w", encoding="utf-8") as manifest:
                self._deliver_all(moves, files(), manifest, again=again)
            self._upload(moves, self._manifest, draft, only_new=False)
        self._context.say(
            f"delivered {self._files} files of {self._bytes} bytes in {time.monotonic() - self._began:.1f} s,"
            f" {self._skipped} of them before; the manifest is {self._prefix}{self._manifest}"
        )

    def _checked(self, path: str) -> str:
        key = self._prefix + path
        if len(key.encode()) > _MOST_KEY_BYTES:
            raise BucketFailed(f"{key[:100]!a}… is longer than a key may be, {_MOST_KEY_BYTES} bytes")
        if path == MANIFESTS or path.startswith(f"{MANIFESTS}/"):
            raise BucketFailed(f"the output holds {path!a}; {MANIFESTS} is for the manifests of deliveries")
        return path

    def _deliver_all(
        self, moves: SideBySide, files: Iterable[OutputFile], manifest: TextIO, *, again: bool
    ) -> None:
        head = {"jobId": self._job_id, "createdAt": datetime.now(UTC).isoformat()}
        manifest.write(f'{json.dumps(head)[:-1]}, "files": [')
        self._said_at = time.monotonic()

        def deliver(file: OutputFile) -> None:
            before = self._present.etags.get(file.path)
            etag = before or self._deliver(moves, file, again=again).etag
            entry = {"path": file.path, "size": file.size, "etag": etag}
            with self._lock:
                manifest.write(f"{',' if self._files else ''}\n{json.dumps(entry, ensure_ascii=False)}")
                self._files += 1
                self._bytes += file.size
                self._skipped += before is not None
                self._say_now_and_then()

        moves.each(deliver, files)
        manifest.write(f'\n], "totalFiles": {self._files}, "totalBytes": {self._bytes}}}\n')

    def _deliver(self, moves: SideBySide, file: OutputFile, *, again: bool) -> ObjectInfo:
        only_new = not self._overwrite
        try:
            return self._send(moves, file, only_new=only_new, again=again)
        except BucketUnavailable:
            if not only_new or file.size > _IN_MEMORY_BYTES:
                raise
            # No client repeats a put that may not replace anything, and any connection may break.
            moves.check()
            return self._send(moves, file, only_new=only_new, again=again)

    def _send(self, moves: SideBySide, file: OutputFile, *, only_new: bool, again: bool) -> ObjectInfo:
        try:
            if file.size <= _IN_MEMORY_BYTES:
                return self._put(file, only_new=only_new)
            with self._on_disk:
                moves.check()
                if again:
                    self._bucket.abort_uploads(self._prefix + file.path, exact=True)
                return self._put_by_disk(moves, file, only_new=only_new)
        except ObjectExists:
            # It may be what an earlier try sent last, and that arrived since the look around.
            found = self._bucket.look(self._prefix + file.path)
            if self._present.is_own(found, file.size):
                return found
            raise

    def _put(self, file: OutputFile, *, only_new: bool) -> ObjectInfo:
        data = self._context.store.get_bytes(file.key, file.offset, file.size) if file.size else b""
        _check_whole(file, len(data))
        return self._bucket.put(
            self._prefix + file.path,
            data,
            content_type=media_type(file.path),
            metadata={OWNER: self._job_id},
            only_new=only_new,
        )

    def _put_by_disk(self, moves: SideBySide, file: OutputFile, *, only_new: bool) -> ObjectInfo:
        if not self._context.has_room():
            raise StoreFull(f"this machine has no room for {file.path!a} on its way")
        draft = self._context.scratch / str(next(self._numbers))
        try:
            _check_whole(file, self._context.store.get_file(file.key, draft, file.offset, file.size))
            return self._upload(moves, file.path, draft, only_new=only_new)
        finally:
            draft.unlink(missing_ok=True)

    def _upload(self, moves: SideBySide, path: str, draft: Path, *, only_new: bool) -> ObjectInfo:
        fd = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return self._bucket.upload(
                self._prefix + path,
                fd,
                os.fstat(fd).st_size,
                content_type=media_type(path),
                metadata={OWNER: self._job_id},
                only_new=only_new,
                on_progress=lambda _bytes: moves.check(),
            )
        finally:
            os.close(fd)

    def _say_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._said_at >= _SAY_EVERY_S or not self._files % _SAY_EVERY_FILES:
            self._said_at = now
            self._context.say(f"delivered {self._files} files of {self._bytes} bytes so far")


def _check_whole(file: OutputFile, size: int) -> None:
    if size != file.size:
        raise StoreUnavailable(f"{file.key} ends after {size} of {file.size} bytes of {file.path!a}")
