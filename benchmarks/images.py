"""Docker images for tests and benchmarks, made of this machine's own interpreter, shell and packages.

There is no registry to pull from, so files of the host are packed into a tar that the daemon imports. An image is named
for its recipe, made once for each daemon, and kept.
"""

import fcntl
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from worker.runners.interpreters import base_python

_PREFIX = "gridloom-test"
_PATH = "ENV PATH=/usr/local/bin:/usr/bin:/bin"
_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "pydoc_data"}
_PACKAGES = {"site-packages", "dist-packages"}
_TOOLS = (
    "cat",
    "chmod",
    "cp",
    "dd",
    "env",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "ps",
    "rm",
    "sleep",
    "touch",
    "true",
)
_NAMED_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


class NotToBeMade(Exception):
    """Raised when this machine lacks what an image is made of."""


def connect() -> docker.DockerClient | None:
    """Return a client of the daemon that DOCKER_HOST names, by default the system's; say why when none answers."""
    try:
        return docker.from_env()
    except DockerException as error:
        print(f"no Docker daemon: {error}")
        return None


def python_image(client: docker.DockerClient) -> str:
    """Return the name of an image with `python3`, its standard library, and `sh`."""
    return _once(client, "python", _python)


def pandas_image(client: docker.DockerClient) -> str:
    """Return the name of the Python image with numpy and pandas added.

    Raises:
        NotToBeMade: when they are not installed beside the fabric.
    """
    versions = ",".join(f"{name}-{_distribution(name).version}" for name in ("numpy", "pandas"))
    return _once(client, "pandas", _pandas, versions)


def busybox_image(client: docker.DockerClient) -> str:
    """Return the name of an image with a shell and no Python: busybox, or dash and a few tools where it is missing."""
    return _once(client, "busybox", _shell)


def static_image(client: docker.DockerClient) -> str:
    """Return the name of an image that holds one static binary, `/busybox`, and neither shell nor libc.

    Raises:
        NotToBeMade: when this machine has no static busybox.
    """
    return _once(client, "static", _static)


def package_files(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of an installed distribution and of what it needs: name below site-packages, and path.

    Raises:
        NotToBeMade: when it is not installed beside the fabric.
    """
    found = _distribution(name)
    for file in found.files or ():
        if ".." not in file.parts and not _LEFT_OUT & {*file.parts}:
            yield str(file), Path(str(file.locate()))
    for requirement in found.requires or ():
        if ";" not in requirement:
            yield from package_files(re.split(r"[^\w.-]", requirement)[0])


class Tar:
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
        for library in _libraries(self._binaries):
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


def _python(tar: Tar) -> None:
    _shell(tar)
    python, library = Path(base_python()).resolve(), Path(os.__file__).parent
    tar.file(f"usr/local/bin/{library.name}", python, binary=True)
    tar.link("usr/local/bin/python3", library.name)
    for folder, folders, files in os.walk(library):
        folders[:] = [
            it for it in folders if it not in _LEFT_OUT | _PACKAGES and not it.startswith("config-")
        ]
        for name in files:
            source = Path(folder, name)
            if not name.endswith((".opt-1.pyc", ".opt-2.pyc", ".a")):
                place = source.relative_to(library.parent)
                tar.file(f"usr/local/lib/{place}", source, binary=source.suffix == ".so")
    for unlisted in ("libgcc_s.so.1", "libstdc++.so.6"):  # opened by name: by threads that end, by packages
        if path := _loader_path(unlisted):
            tar.file(f"usr/lib/{unlisted}", path)


def _pandas(tar: Tar) -> None:
    _python(tar)
    library = f"usr/local/lib/{Path(os.__file__).parent.name}"
    for name in ("numpy", "pandas"):
        for place, source in package_files(name):
            if source.is_file():
                tar.file(f"{library}/site-packages/{place}", source, binary=".so" in source.suffixes)
    tar.link(f"{library}/dist-packages", "site-packages")  # Debian's name for it


def _shell(tar: Tar) -> None:
    if busybox := shutil.which("busybox"):
        tar.file("bin/busybox", Path(busybox), binary=True)
        applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout
        for name in applets.split():
            tar.link(f"bin/{name}", "busybox")
        return
    for name in ("sh", *_TOOLS):
        if tool := shutil.which(name):
            tar.file(f"bin/{name}", Path(tool).resolve(), binary=True)


def _static(tar: Tar) -> None:
    busybox = shutil.which("busybox")
    if busybox is None or _libraries([Path(busybox)]):
        raise NotToBeMade("there is no static busybox: install busybox-static")
    tar.file("busybox", Path(busybox))


def _once(client: docker.DockerClient, name: str, fill: Callable[[Tar], None], versions: str = "") -> str:
    """Return the image's name; whoever comes first makes it, the others wait."""
    host = [
        platform.version(),
        platform.libc_ver(),
        base_python(),
        platform.python_build(),
        shutil.which("busybox"),
    ]
    recipe = hashlib.sha256(Path(__file__).read_bytes() + f"{host} {versions}".encode()).hexdigest()
    repository, tag = f"{_PREFIX}/{name}", recipe[:12]
    reference = f"{repository}:{tag}"
    with _alone():
        try:
            client.images.get(reference)
        except ImageNotFound:
            with tempfile.TemporaryDirectory(prefix="gridloom-image-") as folder:
                target = Path(folder, "root.tar")
                tar = Tar(target)
                fill(tar)
                tar.close()
                with target.open("rb") as stream:
                    answer = client.api.import_image_from_data(
                        stream, repository=repository, tag=tag, changes=[_PATH]
                    )
            if '"error"' in answer:
                raise RuntimeError(f"{reference} can't be imported: {answer}") from None
    return reference


@contextmanager
def _alone() -> Iterator[None]:
    with Path(tempfile.gettempdir(), f"{_PREFIX}-images.{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _libraries(binaries: Sequence[Path]) -> list[str]:
    """Return the shared objects that binaries load, their loader included; those of static ones are none."""
    told = subprocess.run(["ldd", *binaries], check=False, capture_output=True, text=True).stdout
    return sorted({found[1] for line in told.splitlines() if (found := _NAMED_LIBRARY.search(line))})


def _loader_path(library: str) -> Path | None:
    told = subprocess.run(["/sbin/ldconfig", "-p"], check=False, capture_output=True, text=True).stdout
    return next(
        (Path(line.split(" => ")[1]) for line in told.splitlines() if line.split()[0] == library), None
    )


def _distribution(name: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as missing:
        raise NotToBeMade(f"{name} is missing: install the `bench` extra") from missing
