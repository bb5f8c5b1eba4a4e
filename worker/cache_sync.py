"""Brings what users uploaded for their tasks into this machine's cache folders, before a task needs it.

A claim names the versions of its owner's cache and of the shared one. While these are what they were at the last
look, nothing is asked. Else the control plane lists the files, and those whose digest has changed are fetched; what
was deleted there goes here too. What tasks write is left alone where no upload has its path.
"""

import errno
import json
import os
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Lock

import structlog

from gridloom.errors import BlobMissing
from gridloom.wire import CachedFile, CacheReply
from storage.blobs import BlobStore
from worker.cache_tree import CacheTree
from worker.caches import CacheFolders

log = structlog.get_logger()

SHARED = "shared"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_LOOKS = 3

Check = Callable[[], None]
Listing = Callable[[str, Callable[[], bool]], CacheReply]


class CacheSync:
    """Safe for use by many threads; what it brought is noted in files below `notes`, for the worker's next life."""

    def __init__(self, folders: CacheFolders, store: BlobStore, listing: Listing, notes: Path) -> None:
        self._folders, self._store, self._listing, self._notes = folders, store, listing, notes
        self._writer = f"{zlib.crc32(str(notes.absolute()).encode()):08x}"
        self._versions: dict[str, int] = {}
        self._locks: dict[str, Lock] = {}
        notes.mkdir(exist_ok=True)

    def bring(
        self, owner_id: str, version: int, shared_version: int, check: Check, wanted: Callable[[], bool]
    ) -> None:
        """Bring both caches to these versions; 0 means that there is nothing. `check` may raise to stop.

        Raises:
            StoreUnavailable, BlobMissing: when a file can't be had.
            Unavailable: when the control plane does not answer while `wanted()` holds.
            OSError: when the disk is full.
        """
        for scope, now in ((owner_id, version), (SHARED, shared_version)):
            if now and self._versions.get(scope) != now:
                with self._locks.setdefault(scope, Lock()):
                    if self._versions.get(scope) != now:
                        self._versions[scope] = self._look(scope, check, wanted)

    def _look(self, scope: str, check: Check, wanted: Callable[[], bool]) -> int:
        for look in range(1, _LOOKS + 1):
            reply = self._listing(scope, wanted)
            try:
                self._follow(scope, reply, check)
            except BlobMissing:  # replaced since it was listed
                if look == _LOOKS:
                    raise
            else:
                break
        return reply.version

    def _follow(self, scope: str, reply: CacheReply, check: Check) -> None:
        folder = self._folders.shared if scope == SHARED else self._folders.user(scope)
        if not os.access(folder, os.W_OK):
            log.warning("cache_is_read_only", scope=scope, folder=str(folder))
            return
        note = self._notes / f"{scope}.json"
        had = _read(note)
        tree = CacheTree(folder, self._writer)
        try:
            for path in had.keys() - {file.path for file in reply.files}:
                if _tried(scope, path, partial(tree.remove, path)):
                    del had[path]
            for file in reply.files:
                if had.get(file.path) == file.sha256 and tree.has(file.path, file.size):
                    continue
                check()
                if _tried(scope, file.path, partial(self._fetch, tree, file, check)):
                    had[file.path] = file.sha256
        finally:
            tree.close()
            _write(note, had)

    def _fetch(self, tree: CacheTree, file: CachedFile, check: Check) -> None:
        tree.put(file.path, self._blocks(file, check), file.sha256)

    def _blocks(self, file: CachedFile, check: Check) -> Iterator[bytes]:
        for block in self._store.stream(file.key):
            check()
            yield block


def _tried(scope: str, path: str, work: Callable[[], None]) -> bool:
    """Do what a task's own doings may forbid, and tell whether it was done; a full disk is raised."""
    try:
        work()
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise
        log.warning("cache_file_not_brought", scope=scope, path=path, error=str(error))
        return False
    return True


def _read(note: Path) -> dict[str, str]:
    try:
        return dict(json.loads(note.read_bytes()))
    except (FileNotFoundError, ValueError):
        return {}


def _write(note: Path, had: dict[str, str]) -> None:
    draft = note.with_suffix(".new")
    draft.write_text(json.dumps(had))
    draft.replace(note)
