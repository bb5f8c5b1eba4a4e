"""A zip file made on the way to its reader, in constant memory: stored members, ZIP64 throughout (APPNOTE 6.3.3)."""

import tempfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from struct import pack

from gridloom.errors import StoreUnavailable

_VERSION = 45  # ZIP64
_FLAGS = 0x0808  # sizes and CRC follow the data; names are UTF-8
_DATE = 0x21  # 1980-01-01: the same output makes the same archive
_LATER = 0xFFFFFFFF  # the real number stands in the ZIP64 extra field
_MODE = 0o100644 << 16
_SPOOL_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of the archive: its path, its size in bytes, and how to read it."""

    name: str
    size: int
    read: Callable[[], Iterator[bytes]]


def zip_blocks(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield the archive in blocks of about 256 KiB.

    Raises:
        StoreUnavailable: when a member has not the size it was announced with.
    """
    return _gathered(_pieces(members))


def _pieces(members: Iterable[Member]) -> Iterator[bytes]:
    count = offset = 0
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as directory:
        for member in members:
            name = member.name.encode()
            head = _local_header(name, member.size)
            yield head
            crc = yield from _data(member)
            yield pack("<4sIQQ", b"PK\7\10", crc, member.size, member.size)
            directory.write(_directory_entry(name, member.size, crc, offset))
            offset += len(head) + member.size + 24
            count += 1
        size = directory.tell()
        directory.seek(0)
        yield from iter(lambda: directory.read(_BLOCK_BYTES), b"")
        yield _end(count, size, offset)


def _data(member: Member) -> Generator[bytes, None, int]:
    crc = size = 0
    for block in member.read():
        crc, size = zlib.crc32(block, crc), size + len(block)
        yield block
    if size != member.size:
        raise StoreUnavailable(f"{member.name!a} has {size} bytes in the store, not {member.size}")
    return crc


def _local_header(name: bytes, size: int) -> bytes:
    fixed = pack("<4sHHHHHIIIHH", b"PK\3\4", _VERSION, _FLAGS, 0, 0, _DATE, 0, _LATER, _LATER, len(name), 20)
    return fixed + name + pack("<HHQQ", 1, 16, size, size)


def _directory_entry(name: bytes, size: int, crc: int, offset: int) -> bytes:
    made_by = 3 << 8 | _VERSION  # Unix, so that the mode counts
    fixed = pack("<4sHHHHHHIII", b"PK\1\2", made_by, _VERSION, _FLAGS, 0, 0, _DATE, crc, _LATER, _LATER)
    rest = pack("<HHHHHII", len(name), 28, 0, 0, 0, _MODE, _LATER)
    return fixed + rest + name + pack("<HHQQQ", 1, 24, size, size, offset)


def _end(count: int, size: int, offset: int) -> bytes:
    zip64 = pack("<4sQHHIIQQQQ", b"PK\6\6", 44, _VERSION, _VERSION, 0, 0, count, count, size, offset)
    locator = pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
    return zip64 + locator + pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, _LATER, _LATER, 0)


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
