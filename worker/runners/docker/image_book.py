"""What a worker remembers of the images that it pulled, in a file that outlives it.

Whether an image is private, the daemon itself remembers by a name that we give it (`PRIVATE`), so that all workers of
the daemon know. The book adds which owners have shown this worker that they may pull it, when it was last used, and
which pulls were under way: an image that came with a login is nobody's until it has that name.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

log = structlog.get_logger(__name__)

PRIVATE = (
    "gridloom-private"  #: repository of the name, `gridloom-private:<id>`, that marks an image as private
)
_WRITE_AFTER = timedelta(minutes=1)


class Kept(BaseModel):
    """One image that we pulled: under which names, for which owners with proven access, and its last use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: frozenset[str]
    owners: frozenset[str] = frozenset()
    size_mib: float
    used_at: datetime


class Arrival(BaseModel):
    """One private pull under way: whatever its repository has here besides `before`, image ids, came with a login."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    before: frozenset[str]


class _Pages(BaseModel):
    """The file: images by id, and private pulls that are not settled."""

    model_config = ConfigDict(extra="forbid")

    kept: dict[str, Kept] = {}
    under_way: list[Arrival] = []


class ImageBook:
    """The book; every method may be called by any thread, and what it changes is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._used: dict[str, datetime] = {}
        self._pages = self._read()

    def has(self, image_id: str) -> bool:
        """Tell whether we pulled an image."""
        with self._lock:
            return image_id in self._pages.kept

    def owners_of(self, image_id: str) -> frozenset[str]:
        """Return the owners that have shown that they may pull an image."""
        with self._lock:
            kept = self._pages.kept.get(image_id)
            return frozenset() if kept is None else kept.owners

    def kept(self) -> Mapping[str, Kept]:
        """Return what we pulled and still have, least recently used first."""
        with self._lock:
            found = {
                image_id: kept.model_copy(update={"used_at": self._used.get(image_id, kept.used_at)})
                for image_id, kept in self._pages.kept.items()
            }
        return dict(sorted(found.items(), key=lambda it: it[1].used_at))

    def begin(self, arrival: Arrival) -> None:
        """Note that a private pull begins."""
        with self._lock:
            self._pages.under_way.append(arrival)
            self._write()

    def under_way(self) -> Sequence[Arrival]:
        """Return the private pulls that began and are not settled."""
        with self._lock:
            return tuple(self._pages.under_way)

    def settled(self, arrival: Arrival) -> None:
        """Note that whatever a private pull brought is marked as private."""
        with self._lock:
            self._pages.under_way.remove(arrival)
            self._write()

    def pulled(self, image_id: str, name: str, owner: str, size_mib: float) -> None:
        """Note that a pull for `owner` brought an image, or showed that the owner may have it."""
        with self._lock:
            old = self._pages.kept.get(image_id)
            names, owners = (old.names, old.owners) if old is not None else (frozenset(), frozenset())
            self._used[image_id] = datetime.now(UTC)
            self._pages.kept[image_id] = Kept(
                names=names | {name}, owners=owners | {owner}, size_mib=size_mib, used_at=self._used[image_id]
            )
            self._write()

    def used(self, image_id: str) -> None:
        """Note a use; the file is a minute behind at most."""
        now = datetime.now(UTC)
        with self._lock:
            kept = self._pages.kept.get(image_id)
            if kept is None:
                return
            self._used[image_id] = now
            if now - kept.used_at > _WRITE_AFTER:
                self._pages.kept[image_id] = kept.model_copy(update={"used_at": now})
                self._write()

    def forget(self, image_id: str) -> None:
        """Note that an image is gone."""
        with self._lock:
            self._used.pop(image_id, None)
            if self._pages.kept.pop(image_id, None) is not None:
                self._write()

    def _read(self) -> _Pages:
        try:
            return _Pages.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _Pages()
        except ValidationError as error:
            # Safe to go on without: private images stay marked, and their owners pull again.
            log.warning("image_book_unreadable", path=str(self._path), errors=error.error_count())
            return _Pages()

    def _write(self) -> None:
        draft = self._path.with_suffix(".new")
        with draft.open("w") as file:
            file.write(self._pages.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
