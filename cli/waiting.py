"""Follows a job to its end and fetches what it delivered."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.progress import transfer_progress
from gridloom.errors import ClientError
from gridloom.states import JobState

if TYPE_CHECKING:
    from gridloom.client import Client, JobView

_FIRST_PAUSE_S, _MOST_PAUSE_S = 0.05, 1.0


def follow(client: "Client", job_id: str, show: Callable[["JobView"], None]) -> dict[str, Any]:
    """Show the job until it has ended, and return it as the fabric describes it."""
    from gridloom.client import JobView

    pause_s = _FIRST_PAUSE_S
    while True:
        document = client.job(job_id)
        view = JobView.model_validate(document)
        show(view)
        if view.is_final:
            return document
        if view.state is JobState.NEW:
            raise ClientError(f"job {job_id} is a draft; run it with gridloom job run {job_id}")
        time.sleep(pause_s)
        pause_s = min(_MOST_PAUSE_S, pause_s * 1.3)


def fetch_results(
    client: "Client", job_id: str, folder: Path, *, quiet: bool
) -> tuple[list[dict[str, Any]], list[Path]]:
    """Fetch every output file of a finished job below `folder`; returns what the fabric lists and where it lies."""
    results = list(client.results(job_id))
    size = sum(int(it.get("size") or 0) for it in results)
    folder.mkdir(parents=True, exist_ok=True)
    with transfer_progress("Fetching results", size, quiet=quiet) as moved:
        return results, [client.download_result(it, folder, moved) for it in results]


def failure_of(job: dict[str, Any]) -> str:
    """Return the error to show for a job that has ended, empty when it is complete."""
    state = str(job.get("state"))
    if state == JobState.COMPLETE:
        return ""
    how = "was aborted" if state == JobState.ABORTED else "failed"
    reason = job.get("errorMessage") or "see gridloom job logs"
    return f"job {job.get('id')} {how}: {reason}"
