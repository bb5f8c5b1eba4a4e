"""Files to and from signed links, in blocks; names from the fabric never lead out of the chosen folder."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import quote

from gridloom.client.refusals import refuse
from gridloom.client.steps import Bear, Call, Read, Send, Talk
from gridloom.client.web import httpx
from gridloom.errors import ClientError

BytesMoved = Callable[
    [int], None
]  #: is told the number of bytes of each step, a negative one when they are lost
Blocks = Callable[[], Iterator[bytes]]

STEP_BYTES = 256 * 1024
_MOST_REDIRECTS = 5


def ignore_bytes(_count: int) -> None:
    """Be told of bytes, and do nothing."""


def send_file(link: str, file: Path, moved: BytesMoved) -> Talk[None]:
    """Send a file's bytes to a link.

    Raises:
        ClientError: when it can't be read or is refused.
    """
    try:
        size = file.stat().st_size
    except OSError as error:
        raise ClientError(f"cannot read {file}: {error.strerror or error}") from error
    yield from send_blocks(link, file.name, size, lambda: _blocks_of(file), moved)


def send_blocks(link: str, name: str, size: int, blocks: Blocks, moved: BytesMoved) -> Talk[None]:
    """Send `size` bytes to a link, from the start again when the fabric goes away meanwhile."""
    headers = {"Content-Length": str(size), "Content-Disposition": _disposition(name)}
    while True:
        sent = 0

        def counted() -> Iterator[bytes]:
            nonlocal sent
            for block in blocks():
                yield block
                sent += len(block)
                moved(len(block))

        try:
            refuse((yield Send(method="PUT", url=_checked(link), headers=headers, content=counted)))
        except ClientError as error:
            yield Bear(error=error)
            moved(-sent)
        else:
            return


def fetch_file(link: str, folder: Path, name: str, moved: BytesMoved) -> Talk[Path]:
    """Fetch a link into `folder`/`name` and return that path; a half-fetched file never shows under its name.

    Raises:
        ClientError: when the name leads out of the folder, the link is refused, or the file can't be written.
    """
    return (yield from write_whole(place(folder, name), link, moved))


def write_whole(target: Path, source: str | Call, moved: BytesMoved) -> Talk[Path]:
    """Write what a link leads to, or a call answers, into a file that shows only when it is whole."""
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".gridloom-", dir=target.parent)
        partial = Path(temporary)
        with os.fdopen(handle, "wb") as file:
            if isinstance(source, Call):
                yield source
                yield from _write_blocks(file, moved)
            else:
                yield from fetch_into(source, file, moved)
        partial.chmod(0o666 & ~_umask())
        partial.replace(target)
    except OSError as error:
        raise ClientError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if partial:
            partial.unlink(missing_ok=True)
    return target


def fetch_into(link: str, file: IO[bytes], moved: BytesMoved) -> Talk[None]:
    """Write what a link leads to; after a break it goes on where it stopped, as long as the client is patient."""
    while True:
        try:
            yield from _fetch_rest(link, file, moved)
        except ClientError as error:
            yield Bear(error=error)
        else:
            return


def _fetch_rest(link: str, file: IO[bytes], moved: BytesMoved) -> Talk[None]:
    here = file.tell()
    headers = {"Range": f"bytes={here}-"} if here else {}
    response = yield from _opened(link, headers)
    if here and response.status_code != httpx.codes.PARTIAL_CONTENT:
        file.seek(0)
        file.truncate()
        moved(-here)
    yield from _write_blocks(file, moved)


def _opened(link: str, headers: dict[str, str]) -> Talk[httpx.Response]:
    """Ask for a link and return the open answer; where the fabric's store is a bucket, it sends its readers there."""
    url = httpx.URL(_checked(link))
    for _ in range(1 + _MOST_REDIRECTS):
        response: httpx.Response = yield Send(method="GET", url=str(url), headers=headers, streams=True)
        if not response.has_redirect_location:
            refuse(response)
            return response
        url = httpx.URL(_checked(str(url.join(response.headers["Location"]))))
    raise ClientError(f"{httpx.URL(link).host} redirects more than {_MOST_REDIRECTS} times")


def _write_blocks(file: IO[bytes], moved: BytesMoved) -> Talk[None]:
    while block := (yield Read()):
        file.write(block)
        moved(len(block))


def fetch_bytes(link: str) -> Talk[bytes]:
    """Return what a link leads to."""
    with tempfile.SpooledTemporaryFile(max_size=64 * STEP_BYTES) as held:
        yield from fetch_into(link, held, ignore_bytes)
        held.seek(0)
        return held.read()


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


def _checked(link: str) -> str:
    if not link.startswith(("http://", "https://")):
        raise ClientError(f"the fabric gave a link that is no URL: {link[:100]!r}")
    return link


def _blocks_of(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as source:
            while block := source.read(STEP_BYTES):
                yield block
    except OSError as error:
        raise ClientError(f"cannot read {file}: {error.strerror or error}") from error


def _disposition(name: str) -> str:
    plain = name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
