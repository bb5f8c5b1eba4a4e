import errno
from datetime import UTC, datetime

import pytest

from gridloom.errors import (
    AttemptFailed,
    BadArchive,
    BadInput,
    BlobMissing,
    LeaseLost,
    StoreFull,
    StoreUnavailable,
    Unavailable,
)
from gridloom.states import EndReason, Stage
from gridloom.wire import Claimed
from worker.attempt import Attempt
from worker.pool.bundle_slot import BundleSlot
from worker.runner import failure_of, run_attempt

CLAIMED = Claimed(chunk=0, attempt=1)
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AttemptFailed(EndReason.DATA_SOURCE, "404"), EndReason.DATA_SOURCE),
        (FULL, EndReason.DISK_FULL),
        (OSError(errno.EDQUOT, "quota"), EndReason.DISK_FULL),
        (OSError(errno.EIO, "broken"), EndReason.RUNNER_FAILED),
        (StoreFull("full"), EndReason.DISK_FULL),
        (StoreUnavailable("away"), EndReason.STORE_UNAVAILABLE),
        (BlobMissing("gone"), EndReason.STORE_UNAVAILABLE),
        (BadArchive("no tar"), EndReason.BAD_COMPONENT),
        (BadInput("odd name"), EndReason.BAD_OUTPUT),
        (Unavailable("away"), EndReason.RUNNER_FAILED),
        (ValueError(), EndReason.RUNNER_FAILED),
    ],
)
def test_every_error_has_a_reason_and_words(error, reason):
    failure = failure_of(error, "label")
    assert failure.reason is reason
    assert failure.message


class Recorder:
    phase = "fetched"

    def __init__(self, name, calls, error=None, cleanup_error=None):
        self.name, self.calls, self.error, self.cleanup_error = name, calls, error, cleanup_error

    def prepare(self, attempt):
        self.calls.append(self.name)
        if self.error:
            raise self.error

    def cleanup(self, attempt):
        self.calls.append(f"-{self.name}")
        if self.cleanup_error:
            raise self.cleanup_error


@pytest.fixture
def attempt(rig):
    (lease,) = rig.book.take("job", Stage.APP, [CLAIMED], lease_s=60, asked_at=0)
    rig.set_work(Stage.APP)
    work = rig.control_plane.work
    return Attempt(
        shop=rig.shop,
        lease=lease,
        claimed=CLAIMED,
        work=work,
        slot=BundleSlot(rig.pool, rig.runner, rig.control.pin, work, "job"),
        code=None,
        started_at=datetime.now(UTC),
    )


def test_cleanup_runs_in_reverse_for_what_was_entered_whatever_fails(attempt):
    calls = []
    steps = [
        Recorder("a", calls),
        Recorder("b", calls, cleanup_error=OSError("busy")),
        Recorder("c", calls, error=FULL),
        Recorder("d", calls),
    ]
    outcome = run_attempt(attempt, steps)
    assert calls == ["a", "b", "c", "-c", "-b", "-a"]
    assert outcome.result.reason is EndReason.DISK_FULL
    assert [line.stream for line in outcome.lines] == ["fabric"]


def test_a_lost_lease_ends_the_attempt_without_an_outcome(attempt):
    calls = []
    assert run_attempt(attempt, [Recorder("a", calls, error=LeaseLost("late")), Recorder("b", calls)]) is None
    assert calls == ["a", "-a"]
    assert attempt.lease.lost


def test_no_step_begins_under_an_ended_lease(attempt):
    attempt.lease.end(EndReason.WORKER_STOPPED)
    calls = []
    assert run_attempt(attempt, [Recorder("a", calls)]) is None
    assert calls == []
    assert attempt.lease.ended_by is EndReason.WORKER_STOPPED


def test_results_of_a_failed_attempt_are_not_committed(attempt):
    attempt.payloads.append(b"x")
    attempt.total = 3
    outcome = run_attempt(attempt, [Recorder("a", [], error=ValueError("odd"))])
    assert (outcome.payloads, outcome.result.total) == ((), None)
    assert attempt.lease.finished
