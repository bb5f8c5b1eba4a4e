"""Docker images for tests and benchmarks, made of this machine's own interpreter, shell and packages.

There is no registry to pull from; an image is named for its recipe, made once for each daemon, and kept.
"""

import hashlib
import importlib.metadata
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
from docker.errors import DockerException

from worker.runners.docker.own_image import LEFT_OUT, add_python, add_shell, imported_once
from worker.runners.docker.root_tar import RootTar, libraries
from worker.runners.interpreters import base_python

_PREFIX = "gridloom-test"


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
    return _once(client, "python", lambda tar: add_python(tar, base_python()))


def pandas_image(client: docker.DockerClient) -> str:
    """Return the name of the Python image with numpy and pandas added.

    Raises:
        NotToBeMade: when they are not installed beside the fabric.
    """
    versions = ",".join(f"{name}-{_distribution(name).version}" for name in ("numpy", "pandas"))
    return _once(client, "pandas", _add_pandas, versions)


def busybox_image(client: docker.DockerClient) -> str:
    """Return the name of an image with a shell and no Python: busybox, or dash and a few tools where it is missing."""
    return _once(client, "busybox", add_shell)


def static_image(client: docker.DockerClient) -> str:
    """Return the name of an image that holds one static binary, `/busybox`, and neither shell nor libc.

    Raises:
        NotToBeMade: when this machine has no static busybox.
    """
    return _once(client, "static", _add_static)


def package_files(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of an installed distribution and of what it needs: name below site-packages, and path.

    Raises:
        NotToBeMade: when it is not installed beside the fabric.
    """
    found = _distribution(name)
    for file in found.files or ():
        if ".." not in file.parts and not LEFT_OUT & {*file.parts}:
            yield str(file), Path(str(file.locate()))
    for requirement in found.requires or ():
        if ";" not in requirement:
            yield from package_files(re.split(r"[^\w.-]", requirement)[0])


def _add_pandas(tar: RootTar) -> None:
    add_python(tar, base_python())
    library = f"usr/local/lib/{Path(os.__file__).parent.name}"
    for name in ("numpy", "pandas"):
        for place, source in package_files(name):
            if source.is_file():
                tar.file(f"{library}/site-packages/{place}", source, binary=".so" in source.suffixes)
    tar.link(f"{library}/dist-packages", "site-packages")  # Debian's name for it


def _add_static(tar: RootTar) -> None:
    busybox = shutil.which("busybox")
    if busybox is None or libraries([Path(busybox)]):
        raise NotToBeMade("there is no static busybox: install busybox-static")
    tar.file("busybox", Path(busybox))


def _once(client: docker.DockerClient, name: str, fill: Callable[[RootTar], None], versions: str = "") -> str:
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return imported_once(client.api, f"{_PREFIX}/{name}", base_python(), fill, f"{recipe} {versions}")


def _distribution(name: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as missing:
        raise NotToBeMade(f"{name} is missing: install the `bench` extra") from missing
