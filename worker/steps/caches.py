"""The cache folders, with what was uploaded into them since the last task."""

from worker.attempt import Attempt, Phase


class Caches:
    """Brings the owner's and the shared cache up to date; after the slot is taken, so that the folder has its owner."""

    phase: Phase = "fetched"

    def prepare(self, attempt: Attempt) -> None:
        """Fetch what is new.

        Raises:
            AttemptFailed, GridloomError, OSError: when it can't be had.
            LeaseLost: when the lease ended meanwhile.
        """
        work = attempt.work
        attempt.shop.cache_sync.bring(
            work.owner_id,
            work.cache_version,
            work.shared_cache_version,
            attempt.lease.check,
            attempt.wanted,
        )

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: caches stay."""
