"""The cache folders that scripts see: one for all to read, one for each owner to use."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from worker.runners.protocol import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnersCaches:
    """What a script of one owner is shown."""

    env: dict[str, str]
    folders: tuple[Folder, ...]


class CacheFolders:
    """Both kinds of cache folder; they outlive tasks, jobs and workers."""

    def __init__(self, shared: Path, users: Path) -> None:
        self._shared = shared.absolute()
        self._users = users.absolute()
        # Once for each owner: tasks come by the thousand.
        self.of = lru_cache(maxsize=1024)(self._of)

    def _of(self, owner_id: str) -> OwnersCaches:
        """Return the folders of an owner, made when missing."""
        own = self._users / (owner_id or "nobody")
        self._shared.mkdir(parents=True, exist_ok=True)
        own.mkdir(parents=True, exist_ok=True)
        return OwnersCaches(
            env={"SHARED_CACHE_DIR": str(self._shared), "USER_CACHE_DIR": str(own)},
            folders=(Folder(path=self._shared), Folder(path=own, writable=True)),
        )
