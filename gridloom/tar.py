"""A strict reader of tar streams: yields plain files and folders, refuses every other kind of member.

Formats: POSIX.1-1988 ustar, POSIX.1-2001 pax (`path` and `size`) and GNU long names. The standard library's reader is
not used: it resolves links, follows sparse maps and parses pax headers in quadratic time, none of which a component
needs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gridloom.errors import BadArchive

BLOCK = 512
MAX_META_BYTES = 64 * 1024  #: of one pax header or GNU long name

Read = Callable[[int], bytes]  #: takes a byte count, returns fewer bytes only at the end

_FILES = (b"0", b"\0", b"7")
_FOLDER = b"5"
_PAX, _PAX_GLOBAL = b"x", b"g"
_GNU_NAME, _GNU_LINK = b"L", b"K"
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a fifo",
    b"S": "a sparse file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file or folder of a tar; `name` is as written there, not yet judged."""

    name: str
    is_folder: bool
    mode: int
    data: bytes


def refuse(name: str, problem: str) -> BadArchive:
    """Return the error that a member is refused with; long and unprintable names are shortened and escaped."""
    shown = ascii(name if len(name) <= 120 else f"{name[:100]}…")
    return BadArchive(f"archive member {shown} {problem}", field="data")


def members(read: Read, *, max_members: int, max_bytes: int) -> Iterator[Member]:
    """Yield the members of the tar that `read` delivers; `max_bytes` bounds the data of all files together.

    Raises:
        BadArchive: when it is no tar, is cut off, holds links or special files, or exceeds a bound.
    """
    count, left = 0, max_bytes
    overrides: dict[str, str] = {}
    while (header := _header(read, first=count == 0)) is not None:
        count += 1
        if count > max_members:
            raise BadArchive(f"the archive holds more than {max_members} members", field="data")
        kind, size = header[156:157], _number(header[124:136])
        if kind in (_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK):
            meta = _meta(read, size)
            if kind == _PAX:
                overrides |= _pax(meta)
            elif kind == _GNU_NAME:
                overrides["path"] = _text(meta.rstrip(b"\0"))
            continue
        name = overrides.get("path") or _name(header)
        _check_kind(kind, name, overrides)
        is_folder = kind == _FOLDER or name.endswith("/")
        size = 0 if is_folder else _decimal(overrides["size"]) if "size" in overrides else size
        left -= size
        if left < 0:
            raise BadArchive(f"the archive unpacks to more than {max_bytes} bytes", field="data")
        yield Member(
            name=name, is_folder=is_folder, mode=_number(header[100:108]), data=_data(read, size, name)
        )
        overrides = {}


def _header(read: Read, *, first: bool) -> bytes | None:
    header = read(BLOCK)
    if not first and (not header or header == bytes(BLOCK)):
        return None
    if len(header) == BLOCK and _checksum_fits(header):
        return header
    raise BadArchive(
        "data is not a tar archive" if first else "the archive is cut off or damaged", field="data"
    )


def _checksum_fits(header: bytes) -> bool:
    wanted = header[148:156].strip(b"\0 ")
    blanked = header[:148] + b" " * 8 + header[156:]
    try:
        return int(wanted, 8) == sum(blanked)
    except ValueError:
        return False


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU's binary form, for sizes of 8 GiB and more
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip()
    if digits.isdigit() or not digits:
        try:
            return int(digits or b"0", 8)
        except ValueError:
            pass
    raise BadArchive("the archive has a damaged header", field="data")


def _decimal(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    raise BadArchive("the archive has a damaged pax header", field="data")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadArchive(f"archive member {raw[:100]!a} has a name that is not UTF-8", field="data") from None


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    # GNU archives keep times, not a prefix, in the same place.
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _meta(read: Read, size: int) -> bytes:
    if size > MAX_META_BYTES:
        raise BadArchive(f"the archive has a header of {size} bytes", field="data")
    return _data(read, size, "header")


def _pax(meta: bytes) -> dict[str, str]:
    """Parse records of the form "length key=value newline", where length counts the whole record."""
    found: dict[str, str] = {}
    at = 0
    while at < len(meta) and meta[at]:
        length, space, _ = meta[at : at + 20].partition(b" ")
        end = at + _decimal(length.decode("ascii", "replace"))
        key, equals, value = meta[at + len(length) + 1 : end - 1].partition(b"=")
        if not space or not equals or end > len(meta) or meta[end - 1 : end] != b"\n" or end <= at:
            raise BadArchive("the archive has a damaged pax header", field="data")
        if key in (b"path", b"size") or key.startswith(b"GNU.sparse"):
            found[_text(key)] = _text(value)
        at = end
    return found


def _check_kind(kind: bytes, name: str, overrides: dict[str, str]) -> None:
    if any(key.startswith("GNU.sparse") for key in overrides):
        raise refuse(name, "is a sparse file")
    if kind not in (*_FILES, _FOLDER):
        raise refuse(name, f"is {_KINDS.get(kind, 'of an unknown kind')}; only files and folders are taken")


def _data(read: Read, size: int, name: str) -> bytes:
    padded = -(-size // BLOCK) * BLOCK
    data = read(padded)
    if len(data) < size:
        raise refuse(name, "is cut off")
    return data if len(data) == size else data[:size]
