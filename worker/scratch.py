"""The scratch folder: one worker at a time, running attempts' folders, the components' cache, room on the disk."""

import fcntl
import os
from pathlib import Path

import structlog

from gridloom.errors import SetupFailed
from worker.collect import remove_tree

log = structlog.get_logger()

_FLOOR_SHARE = 0.05
_FLOOR_BYTES = 512 * 1024 * 1024
_EMPTY_BYTES = 4 * 1024 * 1024


class Scratch:
    """A folder that belongs to this process until it ends; what an earlier life left running is swept."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.runs = self.root / "runs"
        self.components = self.root / "components"
        self.caches = self.root / "caches"
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.root / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for leftovers in (self.runs, self.components):
                remove_tree(leftovers)
                leftovers.mkdir()
            self.caches.mkdir(exist_ok=True)
        except BlockingIOError:
            raise SetupFailed(
                f"another worker uses the scratch folder {self.root}; give each its own"
            ) from None
        except OSError as error:
            raise SetupFailed(f"the scratch folder {self.root} can't be used: {error.strerror}") from error

    def has_room(self) -> bool:
        """Tell whether there is room for more tasks: a twentieth of the disk or half a GiB, whichever is less."""
        free, total = self._space()
        return free >= min(_FLOOR_BYTES, total * _FLOOR_SHARE)

    def is_full(self) -> bool:
        """Tell whether next to nothing is left, so that whatever fails now fails for want of room."""
        return self._space()[0] < _EMPTY_BYTES

    def close(self) -> None:
        """Let another worker have the folder."""
        os.close(self._lock)

    def _space(self) -> tuple[int, int]:
        facts = os.statvfs(self.runs)
        return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
