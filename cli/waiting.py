"""Fetches what a job delivered."""

from pathlib import Path
from typing import TYPE_CHECKING

from cli.progress import transfer_progress

if TYPE_CHECKING:
    from gridloom.client import Client, Result


def fetch_results(
    client: "Client", job_id: str, folder: Path, *, quiet: bool
) -> tuple[list["Result"], list[Path]]:
    """Fetch every output file of a finished job below `folder`; returns what the fabric lists and where it lies."""
    results = client.results(job_id)
    folder.mkdir(parents=True, exist_ok=True)
    with transfer_progress("Fetching results", sum(it.size for it in results), quiet=quiet) as moved:
        return results, [client.download_result(it, folder, moved) for it in results]
