"""An earlier result in the place of the task's own: then nothing runs, and no slot is taken."""

from pathlib import Path

import structlog

from gridloom.errors import BlobMissing, StoreUnavailable
from gridloom.wire_reuse import Reused
from storage.joined_reads import JoinedReads
from worker.attempt import Attempt, Phase
from worker.collect import remove_tree
from worker.steps.inputs import put

log = structlog.get_logger()


class EarlierResult:
    """Fetches the files of an earlier result into a folder of the attempt's own, from which they are stored as its own:
    so they stay when the earlier job's bytes go."""

    phase: Phase = "fetched"

    def __init__(self) -> None:
        self.taken = False
        self._folder: Path | None = None

    def prepare(self, attempt: Attempt) -> None:
        """Take the earlier result if there is one; `attempt.reuse` says why, or why not.

        Raises:
            LeaseLost: when the lease ended meanwhile.
            OSError: when the disk is full.
        """
        if attempt.earlier is None:
            return
        found = attempt.earlier.of(attempt.lease.chunk, attempt.slot.spent().image, attempt.wanted)
        if found is None:
            return
        attempt.reuse = found.note
        if not found.note.hit:
            return
        self._folder = attempt.folder
        try:
            _fetch(attempt, found)
        except (BlobMissing, StoreUnavailable) as error:
            log.info("earlier_result_gone", attempt=attempt.label, error=error.message)
            remove_tree(self._folder)
            reason = f"the result of job {found.note.job_id} could not be fetched: {error.message}"
            attempt.reuse = found.note.model_copy(update={"reason": reason, "job_id": "", "saved_s": 0.0})
            return
        self.taken = True
        attempt.note(f"taken from chunk {found.note.chunk} of job {found.note.job_id}: {found.note.reason}")

    def cleanup(self, attempt: Attempt) -> None:  # noqa: ARG002 - every step is told
        """Remove the folder, if there was one."""
        if self._folder is not None:
            remove_tree(self._folder)


def _fetch(attempt: Attempt, found: Reused) -> None:
    folder = attempt.folder / "results"
    folder.mkdir(parents=True)
    reads = JoinedReads(attempt.shop.store)
    for file in found.files:
        attempt.lease.check()
        put(reads, file, folder, found.chunk)
    reads.finish()
    attempt.places["TASK_RESULTS_DIR"] = folder
