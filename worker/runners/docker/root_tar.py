"""Making the root of an image out of files of this machine, as a tar that a daemon imports."""

import re
import subprocess
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

_NAMED_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


class RootTar:
    """A tar of an image's root: each name once, folders before what lies in them, all owned by root."""

    def __init__(self, target: Path) -> None:
        self._tar = tarfile.open(target, "w")  # noqa: SIM115 - `close` is for the maker to call
        self._names: set[str] = set()
        self._sources: set[Path] = set()
        self._binaries: list[Path] = []
        for name in ("dev", "etc", "proc", "sys", "tmp"):
            self.folder(name, 0o1777 if name == "tmp" else 0o755)
        self.text("etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        self.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")

    def folder(self, name: str, mode: int = 0o755) -> None:
        """Add a folder and those above it."""
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self._add(info)

    def text(self, name: str, content: str) -> None:
        """Add a file with this content."""
        data = content.encode()
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._add(info, data)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._add(info)

    def file(self, name: str, source: Path, *, binary: bool = False) -> None:
        """Add a file of the host, links followed; of a `binary`, also the shared objects that it loads."""
        status = source.stat()
        self._sources.add(source.resolve())
        info = tarfile.TarInfo(name)
        # Compiled Python is valid for its source's time alone.
        info.size, info.mode, info.mtime = (
            status.st_size,
            status.st_mode & 0o755 | 0o444,
            int(status.st_mtime),
        )
        self._add(info, source.read_bytes())
        if binary:
            self._binaries.append(source)

    def close(self) -> None:
        """Add the shared objects that the binaries load, and end the tar."""
        for library in libraries(self._binaries):
            if Path(library).resolve() not in self._sources:
                self.file(library.lstrip("/"), Path(library))
        self._tar.close()

    def _add(self, info: tarfile.TarInfo, data: bytes = b"") -> None:
        if info.name in self._names:
            return
        parent = info.name.rpartition("/")[0]
        if parent:
            self.folder(parent)
        self._names.add(info.name)
        self._tar.addfile(info, BytesIO(data))


def libraries(binaries: Sequence[Path]) -> list[str]:
    """Return the shared objects that binaries load, their loader included; those of static ones are none."""
    told = subprocess.run(["ldd", *binaries], check=False, capture_output=True, text=True).stdout
    return sorted({found[1] for line in told.splitlines() if (found := _NAMED_LIBRARY.search(line))})


def loader_path(library: str) -> Path | None:
    """Return where the loader finds a library by its name, None when it does not."""
    told = subprocess.run(["/sbin/ldconfig", "-p"], check=False, capture_output=True, text=True).stdout
    return next(
        (Path(line.split(" => ")[1]) for line in told.splitlines() if line.split()[0] == library), None
    )
