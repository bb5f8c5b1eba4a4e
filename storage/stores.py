"""Opens the object store that a URL names."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gridloom.errors import SetupFailed
from storage.blobs import BlobStore
from storage.folder import FolderStore


def open_store(url: str) -> BlobStore:
    """Open the store at `file:///absolute/path` or at a plain path.

    Raises:
        SetupFailed: when the scheme is unknown or the store can't be used.
    """
    scheme = urlsplit(url).scheme if "://" in url else ""
    if scheme not in OPENERS:
        raise SetupFailed(
            f"store URL {url!r}: {scheme}:// is not supported; use file:///absolute/path or a path"
        )
    return OPENERS[scheme](url)


def _open_file_url(url: str) -> BlobStore:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise SetupFailed(f"store URL {url!r}: write file:///absolute/path, with three slashes")
    return FolderStore(Path(unquote(parts.path)))


def _open_path(url: str) -> BlobStore:
    if not url:
        raise SetupFailed("the store URL is empty; use file:///absolute/path or a path")
    return FolderStore(Path(url).expanduser().absolute())


OPENERS: dict[str, Callable[[str], BlobStore]] = {"file": _open_file_url, "": _open_path}
