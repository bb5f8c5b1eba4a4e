"""Files for a source's objects in one folder: every object gets a safe path of its own, as like its key as can be.

What can't be a name is percent-encoded, what is too long is cut and given a digest. Whether a path is taken the folder
itself tells, so that even a million objects cost no memory; objects that come in the same order get the same paths.
"""

import hashlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from unicodedata import category

_PART_BYTES = 255
_PATH_BYTES = 2000  # of 4,096 in all that Linux takes
_EXTENSION_BYTES = 20
_DIGEST_CHARS = 16
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def make_file(folder: Path, name: str, identity: str) -> Path:
    """Make an empty file for the object that would like to lie at the relative path `name`, and return its path.

    `identity` tells the object from all others: its key, or its URL. Where a file stands in place of a folder that is
    needed, the folder's name ends in %2F; where something stands in place of the file, its name gets a digest.

    Raises:
        OSError: when it can't be made.
    """
    for *folders, last in paths(name, identity):
        path = folder
        for it in folders:
            path = _folder(path / it)
        path /= last
        try:
            os.close(os.open(path, _NEW, 0o644))
        except FileExistsError:
            continue
        return path
    raise AssertionError("there is always another path")


def paths(name: str, identity: str) -> Iterator[list[str]]:
    """Yield the safe relative paths that an object may get, in parts, most wanted first and without end."""
    *folders, last = map(_safe, name.split("/"))
    if len("/".join([*folders, last]).encode()) > _PATH_BYTES:
        folders, last = [], _cut(last, identity)
    yield [*folders, last]
    for number in count():
        yield [*folders, _cut(last, f"{number}/{identity}")]


def printable(text: str) -> str:
    """Return a key as one line of plain text: what is none is percent-encoded."""
    return "".join(_encoded(it) if category(it) in {"Cc", "Cs"} else it for it in text)


def _safe(part: str) -> str:
    if part in {"", ".", ".."}:
        return part.replace(".", "%2E") or "%2F"
    safe = printable(part)
    if safe != part:
        safe = printable(part.replace("%", "%25"))
    return safe if len(safe.encode()) <= _PART_BYTES else _cut(safe, safe)


def _cut(part: str, identity: str) -> str:
    """Return a name with a digest of the identity before its extension, no longer than names may be."""
    digest = hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    stem, dot, extension = part.rpartition(".")
    if not stem or len(extension.encode()) > _EXTENSION_BYTES:
        stem, dot, extension = part, "", ""
    ending = f"~{digest}{dot}{extension}"
    return stem.encode()[: _PART_BYTES - len(ending.encode())].decode(errors="ignore") + ending


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))


def _folder(path: Path) -> Path:
    """Return the path of a folder, made if need be; while there is a file, another one."""
    while not path.is_dir():
        try:
            path.mkdir()
        except FileExistsError:
            name = f"{path.name}%2F"
            path = path.with_name(name if len(name.encode()) <= _PART_BYTES else _cut(name, name))
    return path
