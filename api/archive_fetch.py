"""Fetches a component's archive from a URL, within the bounds of an uploaded one."""

import tempfile
import threading
from pathlib import Path

from gridloom.errors import AttemptFailed, BadInput, Unavailable
from gridloom.net_guard import PrivateHosts
from gridloom.settings import Settings
from storage.public_url import check_url
from storage.sources.url import Conditions, fetch_url

_FIELD = "engineLink"
_room = threading.BoundedSemaphore(8)  #: a slow server must not hold the threads that all calls share
_PATIENCE = Conditions(connect_s=5, read_s=10, total_s=60, tries=2)


def fetch_archive(url: str, settings: Settings, patience: Conditions = _PATIENCE) -> bytes:
    """Return what a URL gives: as url sources are fetched, never from a private network that isn't allowed.

    Raises:
        BadInput: when it can't be had or is larger than a body may be.
        Unavailable: when too many are being fetched.
    """
    if not _room.acquire(blocking=False):
        raise Unavailable("too many archives are being fetched; try again in a minute")
    try:
        return _fetched(url, settings, patience)
    finally:
        _room.release()


def _fetched(url: str, settings: Settings, patience: Conditions) -> bytes:
    allow = PrivateHosts.parse(settings.allow_private_hosts)
    with tempfile.TemporaryDirectory(prefix="gridloom-") as folder:
        try:
            check_url(url, allow)
            limit_bytes = settings.max_body_mib * 1024 * 1024
            path = Path(folder, "archive")
            fetch_url(url, path, limit_bytes=limit_bytes, allow=allow, conditions=patience)
        except (AttemptFailed, BadInput) as error:
            raise BadInput(f"{_FIELD}: {error.message}", field=_FIELD) from error
        return path.read_bytes()
