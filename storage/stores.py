"""Opens the object store that a URL names."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from gridloom.errors import SetupFailed
from storage.blobs import BlobStore
from storage.folder import FolderStore

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")


def open_store(url: str) -> BlobStore:
    """Open the store at `file:PATH`, `file:///absolute/path` or a plain path; relative ones start here.

    Raises:
        SetupFailed: when the scheme is unknown or the store can't be used.
    """
    found = _SCHEME.match(url)
    scheme = found[1] if found else ""
    if scheme not in OPENERS:
        raise _refused(url, f"{scheme}: is not supported")
    return OPENERS[scheme](url)


def _open_file_url(url: str) -> BlobStore:
    path = url.removeprefix("file:")
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        if host not in ("", "localhost"):
            raise _refused(url, "it names a host")
        path = slash + path
    return _open_path(unquote(path))


def _open_path(url: str) -> BlobStore:
    if not url:
        raise _refused(url, "it names no folder")
    return FolderStore(Path(url).expanduser().absolute())


def _refused(url: str, problem: str) -> SetupFailed:
    return SetupFailed(
        f"store URL {url!r}: {problem}; use file:PATH, for example file:///var/lib/gridloom/objects"
    )


OPENERS: dict[str, Callable[[str], BlobStore]] = {"file": _open_file_url, "": _open_path}
