"""Files to and from signed links, streamed; names from the fabric never lead out of the chosen folder."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx

from gridloom.client_session import refuse
from gridloom.errors import ClientError

BytesMoved = Callable[[int], None]  #: is told the number of bytes of each step

_STEP_BYTES = 256 * 1024


def upload(http: httpx.Client, link: str, file: Path, moved: BytesMoved) -> None:
    """Send a file's bytes to a link."""
    try:
        size = file.stat().st_size
        with file.open("rb") as source:
            headers = {"Content-Length": str(size), "Content-Disposition": _disposition(file.name)}
            refuse(http.put(link, content=_steps(source.read, moved), headers=headers))
    except OSError as error:
        raise ClientError(f"cannot read {file}: {error.strerror or error}") from error


def download(http: httpx.Client, link: str, folder: Path, name: str, moved: BytesMoved) -> Path:
    """Fetch a link into `folder`/`name` and return that path; a half-fetched file never shows under its name."""
    target = place(folder, name)
    with http.stream("GET", link) as response:
        if not response.is_success:
            response.read()
            refuse(response)
        try:
            _write(target, response.iter_bytes(_STEP_BYTES), moved)
        except OSError as error:
            raise ClientError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def place(folder: Path, name: str) -> Path:
    """Return where an output file of that name belongs below `folder`.

    Raises:
        ClientError: when the name, or a link that lies in the folder, leads out of it.
    """
    parts = name.split("/")
    target = folder.joinpath(*parts)
    if (
        name.startswith("/")
        or "\0" in name
        or not {"", ".", ".."}.isdisjoint(parts)
        or not target.parent.resolve().is_relative_to(folder.resolve())
    ):
        raise ClientError(f"the output {name!r} does not belong below {folder}")
    return target


def _write(target: Path, steps: Iterator[bytes], moved: BytesMoved) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".gridloom-", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for step in steps:
                file.write(step)
                moved(len(step))
        partial.chmod(0o666 & ~_umask())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _steps(read: Callable[[int], bytes], moved: BytesMoved) -> Iterator[bytes]:
    while step := read(_STEP_BYTES):
        yield step
        moved(len(step))


def _disposition(name: str) -> str:
    plain = name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
