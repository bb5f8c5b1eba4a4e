"""Component archives: reads uploaded ones into memory after judging every name, packs and unpacks them."""

import io
import os
import stat
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unicodedata import category

from gridloom.errors import BadArchive, TooLarge
from gridloom.tar import Member, Read, members, refuse

MANIFEST = "manifest.json"
MAX_PART_BYTES = 255
MAX_NAME_BYTES = 4096
SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules"})

_GZIP_MAGIC = b"\x1f\x8b"
_STEP_BYTES = 64 * 1024
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """Bounds of an archive; the unpacked size counts headers and padding too, where it is compressed."""

    members: int = 10_000
    unpacked_bytes: int = 256 * 1024 * 1024


DEFAULT_LIMITS = ArchiveLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentArchive:
    """The files of a component by relative posix path; manifest.json is always among them."""

    files: Mapping[str, bytes]
    executable: frozenset[str]

    def require(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises:
            BadArchive: when the archive lacks it.
        """
        if path not in self.files:
            raise BadArchive(f"the archive lacks {path}", field="data")
        return self.files[path]


def read_component(data: bytes, limits: ArchiveLimits = DEFAULT_LIMITS) -> ComponentArchive:
    """Read a tar, plain or gzip; where everything lies below one top folder, that folder is dropped from the names.

    Files that macOS adds (`._*`, `.DS_Store`) and empty folders are left out.

    Raises:
        BadArchive: when it is no such archive, a member's name or kind is not allowed, a bound is exceeded, or
            manifest.json is missing; the message names the member.
    """
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    executable: set[str] = set()
    read = _inflater(data, limits) if data.startswith(_GZIP_MAGIC) else io.BytesIO(data).read
    for member in members(read, max_members=limits.members, max_bytes=limits.unpacked_bytes):
        path = _checked_path(member.name, is_folder=member.is_folder)
        _note_folders(member, path, files, folders)
        if member.is_folder or _is_litter(path):
            continue
        if path in files:
            raise refuse(member.name, "occurs twice")
        files[path] = member.data
        if member.mode & 0o111:
            executable.add(path)
    while read(_STEP_BYTES):  # gzip tells of damage only at its end
        pass
    top = _top_folder(files)
    archive = ComponentArchive(
        files={name[len(top) :]: content for name, content in files.items()},
        executable=frozenset(name[len(top) :] for name in executable),
    )
    archive.require(MANIFEST)
    return archive


def pack_component(files: Mapping[str, bytes], executable: Collection[str] = ()) -> bytes:
    """Pack files into a tar that depends on nothing but their names, bytes and executable flags.

    Raises:
        BadArchive: when a name is not allowed or manifest.json is missing.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            if _checked_path(name, is_folder=False) != name:
                raise refuse(name, "is not in its shortest form")
            header = tarfile.TarInfo(name)
            header.size = len(files[name])
            header.mode = 0o755 if name in executable else 0o644
            tar.addfile(header, io.BytesIO(files[name]))
    if MANIFEST not in files:
        raise BadArchive(f"there is no {MANIFEST}", field="data")
    return packed.getvalue()


def pack_folder(folder: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> bytes:
    """Pack a component's folder, without version control, caches and virtual environments.

    Raises:
        BadArchive: when it holds a link or special file, too many files, or no manifest.json.
        TooLarge: when its files together exceed the limit.
    """
    files: dict[str, bytes] = {}
    executable: set[str] = set()
    left = limits.unpacked_bytes
    for path in _plain_files(folder):
        name = path.relative_to(folder).as_posix()
        left -= path.stat().st_size
        if left < 0:
            raise TooLarge(
                f"{folder} holds more than {limits.unpacked_bytes // 1024**2} MiB; keep data out of it"
            )
        if len(files) >= limits.members:
            raise BadArchive(f"{folder} holds more than {limits.members} files", field="data")
        files[name] = path.read_bytes()
        if path.stat().st_mode & 0o111:
            executable.add(name)
    if MANIFEST not in files:
        raise BadArchive(f"{folder} holds no {MANIFEST}", field="data")
    return pack_component(files, executable)


def unpack_component(
    source: bytes | Path, into: Path, limits: ArchiveLimits = DEFAULT_LIMITS
) -> ComponentArchive:
    """Unpack an archive into the folder `into`, which must not exist yet; files get mode 0644 or 0755.

    Raises:
        BadArchive: as `read_component`; nothing was written then.
        FileExistsError: when `into` exists.
    """
    archive = read_component(source.read_bytes() if isinstance(source, Path) else source, limits)
    into.mkdir(mode=0o755)
    root = os.open(into, _FOLDER_FLAGS)
    try:
        os.fchmod(root, 0o755)
        for name, content in archive.files.items():
            _write_below(root, name, content, 0o755 if name in archive.executable else 0o644)
    finally:
        os.close(root)
    return archive


def _inflater(data: bytes, limits: ArchiveLimits) -> Read:
    """Return a read function that inflates gzip step by step, never past the limit."""
    inflate = zlib.decompressobj(wbits=31)
    packed = io.BytesIO(data)
    ready = bytearray()
    total = 0

    def step() -> bytes:
        nonlocal total
        try:
            piece = inflate.decompress(inflate.unconsumed_tail or packed.read(_STEP_BYTES), _STEP_BYTES)
        except zlib.error:
            raise BadArchive("the archive's gzip data is damaged", field="data") from None
        if not piece and not inflate.eof and packed.tell() == len(data):
            raise BadArchive("the archive's gzip data is cut off", field="data")
        total += len(piece)
        if total > limits.unpacked_bytes:
            raise BadArchive(f"the archive unpacks to more than {limits.unpacked_bytes} bytes", field="data")
        return piece

    def read(size: int) -> bytes:
        while len(ready) < size and not inflate.eof:
            ready.extend(step())
        taken = bytes(ready[:size])
        del ready[:size]
        return taken

    return read


def _checked_path(name: str, *, is_folder: bool) -> str:
    """Return the name without needless dots and slashes; "" stands for the archive's root."""
    if name.startswith("/"):
        raise refuse(name, "has an absolute name")
    if "\\" in name or any(category(char) in ("Cc", "Cs") for char in name):
        raise refuse(name, "has a backslash, control character or invalid UTF-8 in its name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refuse(name, "leads out of its folder")
    if (
        any(len(os.fsencode(part)) > MAX_PART_BYTES for part in parts)
        or len(os.fsencode(name)) > MAX_NAME_BYTES
    ):
        raise refuse(name, "has too long a name")
    if not parts and not is_folder:
        raise refuse(name, "is a file without a name")
    return "/".join(parts)


def _note_folders(member: Member, path: str, files: Mapping[str, bytes], folders: set[str]) -> None:
    """Record every folder that the member implies, and refuse a path that is both file and folder."""
    if not member.is_folder and path in folders:
        raise refuse(member.name, "is both a file and a folder")
    above = path if member.is_folder else path.rpartition("/")[0]
    while above and above not in folders:
        if above in files:
            raise refuse(member.name, "lies below a file")
        folders.add(above)
        above = above.rpartition("/")[0]


def _is_litter(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith("._") or name == ".DS_Store"


def _top_folder(files: Mapping[str, bytes]) -> str:
    tops = {name.partition("/")[0] for name in files}
    if len(tops) != 1 or any("/" not in name for name in files):
        return ""
    return f"{tops.pop()}/"


def _plain_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            if path.name not in SKIPPED_FOLDERS:
                yield from _plain_files(path)
        elif not stat.S_ISREG(mode):
            raise BadArchive(
                f"{path} is a link or special file; a component holds plain files only", field="data"
            )
        elif not _is_litter(path.name):
            yield path


def _write_below(root: int, name: str, content: bytes, mode: int) -> None:
    *folders, last = name.split("/")
    here = os.dup(root)
    try:
        for folder in folders:
            below = _open_folder(here, folder)
            os.close(here)
            here = below
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(last, flags, mode, dir_fd=here), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
    finally:
        os.close(here)


def _open_folder(parent: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    except FileNotFoundError:
        os.mkdir(name, 0o755, dir_fd=parent)
    opened = os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    os.fchmod(opened, 0o755)
    return opened
