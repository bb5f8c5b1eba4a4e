"""Lists the engines that every user has without an upload, with the files of their packages."""

import io
import json
import tarfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """One engine in one version; `files` maps paths inside the package to their bytes."""

    kind: Literal["partitioner", "assembler"]
    name: str
    version: str
    folder: str
    passthrough: bool  #: the fabric moves the bytes itself and starts no process
    files: dict[str, bytes]

    def archive(self) -> bytes:
        """Pack the package as a tar; the same package always gives the same bytes."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path, data in sorted(self.files.items()):
                member = tarfile.TarInfo(path)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return buffer.getvalue()


#: Folder of each engine, and the further names and versions that its package is published under.
_PUBLISHED: dict[str, tuple[tuple[str, str], ...]] = {
    "passthrough_partitioner": (),
    "passthrough_assembler": (),
    "replicate_fanout": (("replicate-fanout", "0.4"), ("replicate-fanout", "2.0"), ("fanout-replica", "1.0")),
    "split": (),
    "zipper": (),
    "merge": (),
}


@cache
def builtin_packages() -> tuple[BuiltIn, ...]:
    """Read every built-in engine, one entry for each name and version it is published under."""
    return tuple(
        package
        for folder, others in _PUBLISHED.items()
        for package in _packages(folder, package_files(folder), others)
    )


def package_files(folder: str) -> dict[str, bytes]:
    """Read a package that ships under `engines/`; the keys are paths inside it."""
    return dict(_walk(files("engines") / folder, ""))


def _packages(folder: str, content: dict[str, bytes], others: tuple[tuple[str, str], ...]) -> list[BuiltIn]:
    manifest = json.loads(content["manifest.json"])
    return [
        BuiltIn(
            kind=manifest["type"],
            name=name,
            version=version,
            folder=folder,
            passthrough=name == "passthrough",
            files=content | {"manifest.json": _renamed(manifest, name, version)},
        )
        for name, version in ((manifest["name"], manifest["version"]), *others)
    ]


def _renamed(manifest: dict[str, object], name: str, version: str) -> bytes:
    return json.dumps(manifest | {"name": name, "version": version}, indent=2).encode()


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith((".", "__pycache__")):
            continue
        path = f"{prefix}{entry.name}"
        found += _walk(entry, f"{path}/") if entry.is_dir() else [(path, entry.read_bytes())]
    return found
