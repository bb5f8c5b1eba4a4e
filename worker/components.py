"""Unpacked components, kept by owner and revision: fetched once, used by every task, removed when unused longest.

Each owner of jobs has a folder of its own, since a slot shows the whole of it to scripts; an owner's folder stays.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock

from gridloom.archives import unpack_component
from gridloom.wire import ComponentRef
from storage.blobs import BlobStore
from worker.collect import remove_tree

KEPT = 64

_Key = tuple[str, str, int, str]


@dataclass(slots=True)
class _Entry:
    folder: Path
    users: int = 0
    ready: bool = False
    lock: Lock = field(default_factory=Lock)


class ComponentCache:
    """Folders of unpacked components below a root of the worker's own."""

    def __init__(self, root: Path, store: BlobStore, kept: int = KEPT) -> None:
        self._root = root
        self._store = store
        self._kept = kept
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._numbers = count()
        self._lock = Lock()

    def owners_folder(self, owner_id: str) -> Path:
        """Return the folder that the components in use by one owner's jobs lie in, made when missing."""
        folder = self._root / (owner_id or "nobody")
        folder.mkdir(exist_ok=True)
        return folder

    @contextmanager
    def use(self, owner_id: str, component: ComponentRef) -> Iterator[Path]:
        """Give the component's folder for an owner's jobs, which stays at least until the end of the block.

        Raises:
            BlobMissing, StoreUnavailable: when the archive can't be had.
            BadArchive: when it is no component.
        """
        key = (owner_id, component.id, component.revision, component.digest)
        root = self.owners_folder(owner_id)
        with self._lock:
            entry = self._entries.setdefault(key, _Entry(root / str(next(self._numbers))))
            self._entries.move_to_end(key)
            entry.users += 1
        try:
            with entry.lock:
                if not entry.ready:
                    self._unpack(component, entry.folder)
                    entry.ready = True
            yield entry.folder
        finally:
            with self._lock:
                entry.users -= 1
            self._evict()

    def _unpack(self, component: ComponentRef, folder: Path) -> None:
        remove_tree(folder)  # what a failed try left
        unpack_component(self._store.get_bytes(component.archive_key), folder)

    def _evict(self) -> None:
        with self._lock:
            surplus = len(self._entries) - self._kept
            unused = [key for key, entry in self._entries.items() if entry.users == 0]
            gone = [self._entries.pop(key) for key in unused[: max(0, surplus)]]
        for entry in gone:
            remove_tree(entry.folder)
