"""The demo's material: an app that counts words, its template, and an input that every machine has."""

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from engines.catalog import package_files
from gridloom.errors import SetupFailed

DEMO_APP = "word-count"
DEMO_TEMPLATE = "word-count-template"
_SKIPPED = {"site-packages", "dist-packages", "__pycache__"}


def write_demo(folder: Path) -> None:
    """Write the demo's app folder, its template included, as `app push` takes it."""
    for path, data in package_files("word_count").items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def collect_stdlib(target: Path) -> int:
    """Write the sources of Python's standard library into one file, a `# file: <path>` line before each.

    Returns the file's size in bytes. Raises SetupFailed when this Python comes without sources.
    """
    library = Path(sysconfig.get_path("stdlib"))
    with target.open("wb") as joined:
        for source in _sources(library):
            joined.write(f"# file: {source.relative_to(library).as_posix()}\n".encode())
            with source.open("rb") as text:
                shutil.copyfileobj(text, joined)
            joined.write(b"\n")
        size = joined.tell()
    if not size:
        raise SetupFailed(
            f"the demo reads the sources of Python's standard library, but {library} holds none"
        )
    return size


def _sources(library: Path) -> Iterator[Path]:
    for source in sorted(library.rglob("*.py")):
        if source.is_file() and _SKIPPED.isdisjoint(source.relative_to(library).parts):
            yield source
