"""The job's input, fetched into SOURCE_DIR for the partitioner."""

from gridloom.wire import StageRequest
from worker.attempt import Attempt, Phase


class Source:
    """Fetches the data source, then says that partitioning begins."""

    phase: Phase = "fetched"

    def prepare(self, attempt: Attempt) -> None:
        """Fetch, and note in the log what was fetched.

        Raises:
            AttemptFailed: when the source can't be had.
            LeaseLost: when the lease ended meanwhile.
        """
        lease = attempt.lease
        if attempt.work.source is not None:
            folder = attempt.place("SOURCE_DIR")
            attempt.shop.fetch(attempt.work.source, folder, lambda _bytes: lease.check(), attempt.note)
        request = StageRequest(job_id=lease.job_id, stage=lease.stage, attempt=lease.attempt)
        attempt.shop.control.phase(request, attempt.wanted)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole."""
