"""The job's input, fetched into SOURCE_DIR for the partitioner."""

from gridloom.wire import StageRequest
from worker.attempt import Attempt, Phase


class Source:
    """Fetches the data source, then says that partitioning begins."""

    phase: Phase = "fetched"

    def prepare(self, attempt: Attempt) -> None:
        """Fetch.

        Raises:
            AttemptFailed: when the source can't be had.
            LeaseLost: when the lease ended meanwhile.
        """
        lease = attempt.lease
        if attempt.work.source is not None:
            attempt.shop.fetch(attempt.work.source, attempt.place("SOURCE_DIR"), lambda _bytes: lease.check())
        request = StageRequest(job_id=lease.job_id, stage=lease.stage, attempt=lease.attempt)
        attempt.shop.control.phase(request, attempt.wanted)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole."""
