"""The cache folders that scripts see: one for all to read, one for each owner to use."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path


class CacheFolders:
    """Both kinds of cache folder; they outlive tasks, jobs and workers."""

    def __init__(self, shared: Path, users: Path) -> None:
        self.shared = shared.absolute()
        self.users = users.absolute()
        self.shared.mkdir(parents=True, exist_ok=True)
        self.users.mkdir(parents=True, exist_ok=True)
        # Once for each owner: tasks come by the thousand.
        self.of = lru_cache(maxsize=1024)(self._of)

    def user(self, owner_id: str) -> Path:
        """Return an owner's folder, made when missing."""
        own = self.users / (owner_id or "nobody")
        own.mkdir(exist_ok=True)
        return own

    def _of(self, owner_id: str) -> Mapping[str, str]:
        """Return the variables that name an owner's folders, made when missing."""
        return {"SHARED_CACHE_DIR": str(self.shared), "USER_CACHE_DIR": str(self.user(owner_id))}
