"""The source of jobs that need no input: one dummy file, so that a replicating partitioner has something to copy."""

from pathlib import Path

from gridloom.sources import BYPASS_DATA, SourceSpec
from storage.sources.context import SourceContext

FILE_NAME = "bypass.bin"


def fetch(_spec: SourceSpec, into: Path, _context: SourceContext) -> None:
    """Write the dummy file."""
    (into / FILE_NAME).write_bytes(BYPASS_DATA)
