"""Where the script will run: its image, and a slot from the warm pool in whose folder the attempt's own will lie."""

from worker.attempt import Attempt, Phase


class Image:
    """Has the component's image, pulled by the first attempt that needs it."""

    phase: Phase = "pulled"

    def prepare(self, attempt: Attempt) -> None:
        """Make sure that the image is here."""
        attempt.slot.have_image(attempt.lease)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: images stay."""


class Place:
    """Claims the bundle's slot, or takes the one it has."""

    phase: Phase = "claimed"

    def prepare(self, attempt: Attempt) -> None:
        """Take the slot."""
        attempt.home = attempt.slot.take(attempt.lease, attempt.rest).folder

    def cleanup(self, attempt: Attempt) -> None:
        """Give up a slot that can't take another task."""
        attempt.slot.task_done()
