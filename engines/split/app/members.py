"""Hands out whole files, or the members of an archive, one or several a chunk."""

import shutil
import tarfile
import zipfile
import zlib
from itertools import chain, islice

BLOCK = 1 << 20
BROKEN = (tarfile.TarError, zipfile.BadZipFile, RuntimeError, EOFError, zlib.error)
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def tar_members(path):
    """Yield name, size in bytes and an open stream of every plain file of a tar, in the archive's order."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isreg():
                yield member.name, member.size, archive.extractfile(member)
            # An archive of millions of members would otherwise be remembered whole.
            archive.members.clear()


def zip_members(path):
    """Yield name, size in bytes and an open stream of every file of a zip, in the archive's order."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as stream:
                    yield member.filename, member.file_size, stream


def plain_file(path):
    """Yield the file itself."""
    with path.open("rb") as stream:
        yield path.name, path.stat().st_size, stream


def all_files(sources, unpack):
    """Yield the files of all sources; `unpack` None means that the name tells an archive."""
    for path in sources:
        name = path.name.lower()
        if unpack is False:
            yield from plain_file(path)
        elif zipfile.is_zipfile(path) if unpack else name.endswith(".zip"):
            yield from zip_members(path)
        elif unpack or name.endswith(TAR_ENDINGS):
            yield from tar_members(path)
        else:
            yield from plain_file(path)


def write_tar(target, files) -> None:
    """Write `files` as an uncompressed tar."""
    with tarfile.open(fileobj=target, mode="w|") as archive:
        for name, size, stream in files:
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, stream)


def write_chunks(files, chunks, files_per_chunk: int) -> int:
    """Write one chunk for every `files_per_chunk` files; return how many."""
    count = 0
    for first in files:
        with (chunks / f"data_{count}.bin").open("xb") as target:
            if files_per_chunk == 1:
                shutil.copyfileobj(first[2], target, BLOCK)
            else:
                write_tar(target, chain([first], islice(files, files_per_chunk - 1)))
        count += 1
    return count


def split_files(sources, chunks, files_per_chunk: int, unpack) -> int:
    """Write the chunks; return how many; raise ValueError when an archive is broken or there is no file at all."""
    try:
        count = write_chunks(all_files(sources, unpack), chunks, files_per_chunk)
    except BROKEN as error:
        reason = str(error).split(":\n")[0] or type(error).__name__
        raise ValueError(f"the archive can't be read: {reason}") from error
    if not count:
        raise ValueError("the source holds no file")
    return count
