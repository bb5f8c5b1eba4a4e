"""The results of all tasks, merged into one flat folder for the assembler."""

from pathlib import Path

from gridloom.flat_merge import merge_candidates
from gridloom.wire import ResultFile, StageRequest
from storage.joined_reads import JoinedReads
from worker.attempt import Attempt, Phase


class Inputs:
    """Fetches every result file in chunk order; a taken name gets the chunk's number."""

    phase: Phase = "fetched"

    def prepare(self, attempt: Attempt) -> None:
        """Fetch all."""
        lease, control = attempt.lease, attempt.shop.control
        folder = attempt.place("TASK_RESULTS_DIR")
        reads = JoinedReads(attempt.shop.store)
        place: int | None = 0
        while place is not None:
            page = control.results(lease.job_id, lease.attempt, place, attempt.wanted)
            for task in page.tasks:
                lease.check()
                for file in task.files:
                    put(reads, file, folder, task.chunk)
            place = page.next_chunk
        reads.finish()
        request = StageRequest(job_id=lease.job_id, stage=lease.stage, attempt=lease.attempt)
        control.phase(request, attempt.wanted)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole."""


def put(reads: JoinedReads, file: ResultFile, folder: Path, chunk: int) -> Path:
    """Have a chunk's result file fetched into the folder under the first name that is free; return its path.

    Raises:
        BadInput: when its name leads out of the folder.
        StoreUnavailable: when its bytes can't be had.
    """
    for name in merge_candidates(file.name, chunk):
        path = folder / name
        try:
            if "/" in name:
                path.parent.mkdir(parents=True, exist_ok=True)
            reads.get_file(file.key or "", path, file.offset, file.size)
        except (FileExistsError, NotADirectoryError):
            continue
        return path
    raise AssertionError("there is always another name")
