"""Unpacked components, kept by revision: fetched once, used by every task, the one unused longest removed first."""

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

_Key = tuple[str, int, str]


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

    @contextmanager
    def use(self, component: ComponentRef) -> Iterator[Path]:
        """Give the component's folder, which stays at least until the end of the block.

        Raises:
            BlobMissing, StoreUnavailable: when the archive can't be had.
            BadArchive: when it is no component.
        """
        key = (component.id, component.revision, component.digest)
        with self._lock:
            entry = self._entries.setdefault(key, _Entry(self._root / str(next(self._numbers))))
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
