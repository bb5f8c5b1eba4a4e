"""The source of jobs that need no input: one dummy file, so that a replicating partitioner has something to copy."""

from pathlib import Path

from gridloom.sources import BYPASS_DATA, SourceSpec
from storage.sources.context import SourceContext

FILE_NAME = "bypass.bin"


def fetch(_spec: SourceSpec, into: Path, _context: SourceContext) -> list[Path]:
    """Write the dummy file and return it."""
    path = into / FILE_NAME
    path.write_bytes(BYPASS_DATA)
    return [path]
