"""The image of components that name none: this machine's own Python and shell, so that no registry is needed."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from gridloom.errors import RunnerFailed
from worker.runners.docker import root_tar
from worker.runners.docker.daemon import daemon_errors
from worker.runners.docker.root_tar import RootTar, loader_path

NAME = "gridloom-own"
_PATH = "ENV PATH=/usr/local/bin:/usr/bin:/bin"
LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "pydoc_data"}
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


def own_image(client: docker.APIClient, python: str) -> str:
    """Return the name of the image that holds an interpreter of this machine; it is made where it is missing.

    Raises:
        RunnerFailed: when it can't be made.
    """
    return imported_once(client, NAME, python, lambda tar: add_python(tar, python))


def imported_once(
    client: docker.APIClient, repository: str, python: str, fill: Callable[[RootTar], None], more: str = ""
) -> str:
    """Return the name of an image for what `fill` puts into it; whoever comes first makes it, the others wait.

    The tag stands for what it is made of: this code, the interpreter and the machine's C library; `more` adds to it.

    Raises:
        RunnerFailed: when it can't be made.
    """
    made_of = [platform.version(), platform.libc_ver(), _version(python), shutil.which("busybox"), more]
    code = Path(__file__).read_bytes() + Path(root_tar.__file__).read_bytes()
    tag = hashlib.sha256(code + repr(made_of).encode()).hexdigest()[:12]
    name = f"{repository}:{tag}"
    try:
        with _alone(), daemon_errors(f"image {name} can't be made"):
            try:
                client.inspect_image(name)
            except ImageNotFound:
                _import(client, name, fill)
    except OSError as error:
        raise RunnerFailed(f"image {name} can't be made: {error}") from error
    return name


def add_python(tar: RootTar, python: str) -> None:
    """Add an interpreter with its standard library, and a shell."""
    add_shell(tar)
    told = _ask(
        python, "import os, sys; print(os.path.realpath(sys.executable)); print(os.path.dirname(os.__file__))"
    )
    program, library = map(Path, told.splitlines())
    tar.file(f"usr/local/bin/{library.name}", program, binary=True)
    tar.link("usr/local/bin/python3", library.name)
    for folder, folders, files in os.walk(library):
        folders[:] = [it for it in folders if it not in LEFT_OUT | _PACKAGES and not it.startswith("config-")]
        for name in files:
            source = Path(folder, name)
            if not name.endswith((".opt-1.pyc", ".opt-2.pyc", ".a")):
                place = source.relative_to(library.parent)
                tar.file(f"usr/local/lib/{place}", source, binary=source.suffix == ".so")
    for unlisted in ("libgcc_s.so.1", "libstdc++.so.6"):  # opened by name: by threads that end, by packages
        if path := loader_path(unlisted):
            tar.file(f"usr/lib/{unlisted}", path)


def add_shell(tar: RootTar) -> None:
    """Add busybox under all its names; where there is none, `sh` and a few tools."""
    if busybox := shutil.which("busybox"):
        tar.file("bin/busybox", Path(busybox), binary=True)
        for name in _ask(busybox, "--list").split():
            tar.link(f"bin/{name}", "busybox")
        return
    for name in ("sh", *_TOOLS):
        if tool := shutil.which(name):
            tar.file(f"bin/{name}", Path(tool).resolve(), binary=True)


def _import(client: docker.APIClient, name: str, fill: Callable[[RootTar], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="gridloom-image-") as folder:
        target = Path(folder, "root.tar")
        tar = RootTar(target)
        fill(tar)
        tar.close()
        with target.open("rb") as stream:
            # The tag in the name: Podman overlooks one that is given apart.
            answer = client.import_image_from_data(stream, repository=name, changes=[_PATH])
    if '"error"' in answer:
        raise RunnerFailed(f"image {name} can't be imported: {answer}")


@contextmanager
def _alone() -> Iterator[None]:
    path = Path(tempfile.gettempdir(), f"gridloom-images.{os.geteuid()}.lock")
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _version(python: str) -> str:
    return _ask(python, "import sys; print(sys.executable, sys.version)")


def _ask(program: str, question: str) -> str:
    """Return what a program says: an interpreter about a line of Python, busybox to an option."""
    arguments = [question] if question.startswith("--") else ["-I", "-S", "-c", question]
    try:
        return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise RunnerFailed(f"{program} can't be asked what it consists of: {error}") from error
