"""Opens the object store that the settings name."""

import re
from pathlib import Path
from urllib.parse import unquote

from gridloom.errors import SetupFailed
from gridloom.settings import Settings
from storage.blobs import BlobStore
from storage.bucket_store import open_bucket
from storage.bucket_urls import parse_bucket_url
from storage.folder import FolderStore

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")


def open_store(settings: Settings) -> BlobStore:
    """Open the store at `store_url`; relative paths start here, and a bucket is asked whether it will do.

    Raises:
        SetupFailed: naming the setting to change, when the URL can't be read or the store can't be used.
    """
    url = settings.store_url
    found = _SCHEME.match(url)
    match found[1] if found else "":
        case "file":
            return _open_file_url(url)
        case "s3":
            secret_key = settings.store_secret_key.get_secret_value()
            return open_bucket(parse_bucket_url(url, settings.store_access_key, secret_key))
        case "":
            return _open_path(url)
        case scheme:
            raise _refused(url, f"{scheme}: is not supported")


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
        f"store URL {url!r}: {problem}; use file:PATH, for example file:///var/lib/gridloom/objects, "
        "or s3://BUCKET/PREFIX"
    )
