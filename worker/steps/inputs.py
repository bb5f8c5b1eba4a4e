"""The results of all tasks, merged into one flat folder for the assembler."""

from pathlib import Path

from gridloom.errors import StoreUnavailable
from gridloom.flat_merge import merge_candidates
from gridloom.wire import ResultFile, StageRequest
from storage.blobs import BlobStore
from worker.attempt import Attempt, Phase


class Inputs:
    """Fetches every result file in chunk order; a taken name gets the chunk's number."""

    phase: Phase = "fetched"

    def prepare(self, attempt: Attempt) -> None:
        """Fetch all."""
        lease, control = attempt.lease, attempt.shop.control
        folder = attempt.place("TASK_RESULTS_DIR")
        place: int | None = 0
        while place is not None:
            page = control.results(lease.job_id, lease.attempt, place, attempt.wanted)
            for task in page.tasks:
                lease.check()
                for file in task.files:
                    put(attempt.shop.store, file, folder, task.chunk)
            place = page.next_chunk
        request = StageRequest(job_id=lease.job_id, stage=lease.stage, attempt=lease.attempt)
        control.phase(request, attempt.wanted)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole."""


def put(store: BlobStore, file: ResultFile, folder: Path, chunk: int) -> Path:
    """Fetch a chunk's result file into the folder under the first name that is free; return its path.

    Raises:
        BadInput: when its name leads out of the folder.
        StoreUnavailable: when its bytes can't be had.
    """
    for name in merge_candidates(file.name, chunk):
        path = folder / name
        try:
            if "/" in name:
                path.parent.mkdir(parents=True, exist_ok=True)
            size = store.get_file(file.key or "", path, file.offset, file.size)
        except (FileExistsError, NotADirectoryError):
            continue
        if size != file.size:
            raise StoreUnavailable(f"{file.key} ends after {size} of {file.size} bytes of {file.name!a}")
        return path
    raise AssertionError("there is always another name")
