"""The job's output, moved from the fabric's own store to the bucket that its owner named."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from gridloom.destinations import DestinationSpec
from gridloom.errors import AttemptFailed, BadInput, BucketFailed, BucketUnavailable, RunnerFailed
from gridloom.net_guard import PrivateHosts
from gridloom.states import EndReason
from gridloom.wire import OutputFile
from storage.buckets.bucket import Bucket
from storage.destinations.bucket import BucketDelivery
from storage.destinations.catalog import bucket_folder
from storage.destinations.context import DeliveryContext
from worker.attempt import Attempt, Phase
from worker.output import OutputCapture


class Deliver:
    """Moves the files, then writes the manifest."""

    phase: Phase = "stored"

    def prepare(self, attempt: Attempt) -> None:
        """Deliver.

        Raises:
            AttemptFailed: when the destination can't be reached or refuses.
            LeaseLost: when the lease ended meanwhile.
        """
        if attempt.work.destination is None:
            raise RunnerFailed("no destination was named")
        capture = OutputCapture()
        watched = attempt.shop.live_logs.watch(attempt.lease, capture)
        attempt.lease.start(lambda _reason: None)  # nothing to kill: each step asks whether it may go on
        try:
            with _in_the_fabrics_words():
                _deliver(attempt, attempt.work.destination, capture)
        finally:
            attempt.lease.stop()
            attempt.lines += attempt.shop.live_logs.leave(watched)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole, and what was delivered stays for the next try."""


def _deliver(attempt: Attempt, destination: DestinationSpec, capture: OutputCapture) -> None:
    shop, lease = attempt.shop, attempt.lease
    if destination.place is None:
        raise RunnerFailed("no bucket was named")
    allow = PrivateHosts.parse(shop.settings.allow_private_hosts)
    folder, overwrite = bucket_folder(destination, allow)
    context = DeliveryContext(
        store=shop.store,
        scratch=attempt.folder,
        transfers=shop.settings.transfers,
        check=lease.check,
        say=capture.say,
        has_room=shop.scratch.has_room,
    )
    with closing(Bucket(destination.place, allow, transfers=shop.settings.transfers)) as bucket:
        delivery = BucketDelivery(bucket, folder, lease.job_id, context, overwrite=overwrite)
        delivery.run(lambda: _files(attempt), again=lease.attempt > 1)


def _files(attempt: Attempt) -> Iterator[OutputFile]:
    lease, after, more = attempt.lease, "", True
    while more:
        page = attempt.shop.control.output_page(lease.job_id, lease.attempt, after, attempt.wanted)
        yield from page.files
        more = page.more
        after = page.files[-1].path if page.files else after


@contextmanager
def _in_the_fabrics_words() -> Iterator[None]:
    try:
        yield
    except BucketUnavailable as error:
        raise AttemptFailed(EndReason.DESTINATION, error.message) from error
    except (BucketFailed, BadInput) as error:
        raise AttemptFailed(EndReason.DESTINATION_REFUSED, error.message) from error
