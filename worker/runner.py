"""Runs one attempt: the visible list of its steps, and what its end means."""

import errno
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import structlog

from gridloom.errors import (
    AttemptFailed,
    BadArchive,
    BadInput,
    BlobMissing,
    GridloomError,
    LeaseLost,
    StoreFull,
    StoreUnavailable,
)
from gridloom.logs import LogLevel, LogLine
from gridloom.plan import DELIVERY
from gridloom.states import EndReason, Stage
from gridloom.wire import AttemptResult, Spent, Work
from worker.attempt import Attempt, Outcome, Step
from worker.leases import Lease
from worker.steps.caches import Caches
from worker.steps.chunk import Chunk
from worker.steps.chunks import Chunks, FinishChunks
from worker.steps.deliver import Deliver
from worker.steps.folders import Folders
from worker.steps.inputs import Inputs
from worker.steps.outputs import Outputs
from worker.steps.passthrough import ObjectsAsChunks, OutputsAsTheyAre, SourceAsChunks
from worker.steps.results import Results
from worker.steps.reused import EarlierResult
from worker.steps.script import Script
from worker.steps.slot import Image, Place
from worker.steps.source import Source

log = structlog.get_logger()

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_MESSAGE_CHARS = 2000
_PROCESSLESS = frozenset({"passthrough", DELIVERY.component.name})


def is_passthrough(work: Work) -> bool:
    """Tell whether the fabric itself does the work and no process starts: a built-in component of such a name."""
    return work.component.name in _PROCESSLESS and not work.component.owner_id


def steps_for(stage: Stage, work: Work) -> Iterable[Step]:
    """Return the steps of an attempt, in order; their cleanup runs in reverse."""
    if stage is Stage.APP:
        return _app_steps(work)
    if stage is Stage.PARTITION:
        if is_passthrough(work):
            return [ObjectsAsChunks()] if _is_in_bucket(work) else [Folders(), Source(), SourceAsChunks()]
        chunks = Chunks()
        steps: list[Step] = [Image(), Place(), Folders(), Caches(), Source()]
        return [*steps, chunks, Script(), FinishChunks(chunks)]
    if stage is Stage.DELIVER:
        return [Folders(), Deliver()]
    if is_passthrough(work):
        return [OutputsAsTheyAre()]
    return [Image(), Place(), Folders(), Caches(), Inputs(), Script(), Outputs()]


def _is_in_bucket(work: Work) -> bool:
    return work.source is not None and work.source.place is not None


def _app_steps(work: Work) -> Iterator[Step]:
    yield Image()
    if work.reuse:
        earlier = EarlierResult()
        yield earlier
        if earlier.taken:
            yield Results()
            return
    yield from (Place(), Folders(), Caches(), Chunk(), Script(), Results())


def run_attempt(attempt: Attempt, steps: Iterable[Step]) -> Outcome | None:
    """Run the steps; returns the outcome, or None when nothing may be committed: the lease ended meanwhile."""
    failure: AttemptFailed | None = None
    entered: list[Step] = []
    try:
        for step in steps:
            attempt.lease.check()
            entered.append(step)
            _prepare(step, attempt)
    except LeaseLost as error:
        attempt.lease.end(EndReason.CANCELLED)
        log.info("attempt_dropped", attempt=attempt.label, reason=error.message)
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends this attempt
        failure = _scrubbed(attempt, failure_of(error, attempt.label))
    finally:
        spent = attempt.spent()
        _clean_up(entered, attempt)
    if attempt.lease.ended_by is not None:
        return None
    attempt.lease.finished = True
    attempt.shop.metrics.spent(spent)
    return _outcome(attempt, failure, spent)


def failure_of(error: Exception, label: str) -> AttemptFailed:
    """Return what an error means for the attempt that it ended; `label` names that in the log."""
    if isinstance(error, AttemptFailed):
        return error
    if isinstance(error, StoreFull) or (isinstance(error, OSError) and error.errno in _NO_SPACE):
        return AttemptFailed(EndReason.DISK_FULL, f"the disk is full: {error}")
    if isinstance(error, StoreUnavailable | BlobMissing):
        return AttemptFailed(EndReason.STORE_UNAVAILABLE, error.message)
    if isinstance(error, BadArchive):
        return AttemptFailed(EndReason.BAD_COMPONENT, error.message)
    if isinstance(error, BadInput):
        return AttemptFailed(EndReason.BAD_OUTPUT, error.message)
    if not isinstance(error, GridloomError):
        log.error("attempt_broke", attempt=label, exc_info=error)
    return AttemptFailed(EndReason.RUNNER_FAILED, str(error) or type(error).__name__)


def failed(lease: Lease, failure: AttemptFailed) -> Outcome:
    """Return the outcome of an attempt that failed before its first step."""
    now = datetime.now(UTC)
    lease.finished = True
    result = AttemptResult(
        chunk=lease.chunk,
        attempt=lease.attempt,
        reason=failure.reason,
        message=failure.message[:_MESSAGE_CHARS],
        ended_at=now,
    )
    return Outcome(lease=lease, result=result, lines=(_line(failure),))


def _scrubbed(attempt: Attempt, failure: AttemptFailed) -> AttemptFailed:
    """Return the failure with a message that shows no secret: it may quote what the script printed."""
    message = attempt.scrubber.text(failure.message)
    return AttemptFailed(failure.reason, message, exit_code=failure.exit_code)


def _prepare(step: Step, attempt: Attempt) -> None:
    began = time.monotonic()
    try:
        step.prepare(attempt)
    finally:
        so_far_s = attempt.phases.get(step.phase, 0.0)
        attempt.phases[step.phase] = so_far_s + time.monotonic() - began


def _outcome(attempt: Attempt, failure: AttemptFailed | None, spent: Spent) -> Outcome:
    ended, lease = attempt.ended, attempt.lease
    lines = [*attempt.lines, _line(failure)] if failure else attempt.lines
    result = AttemptResult(
        chunk=lease.chunk,
        attempt=lease.attempt,
        reason=failure.reason if failure else None,
        exit_code=ended.exit_code if ended else None,
        message=failure.message[:_MESSAGE_CHARS] if failure else "",
        started_at=ended.started_at if ended else attempt.started_at,
        ended_at=ended.ended_at if ended else datetime.now(UTC),
        cpu_s=ended.cpu_s if ended else 0.0,
        peak_memory_mib=ended.peak_memory_mib if ended else 0.0,
        files=() if failure else tuple(attempt.files),
        total=None if failure else attempt.total,
        reuse=attempt.reuse,
        spent=spent,
    )
    payloads = () if failure else tuple(attempt.payloads)
    return Outcome(lease=lease, result=result, payloads=payloads, lines=tuple(lines))


def _line(failure: AttemptFailed) -> LogLine:
    text = f"{failure.reason}: {failure.message}"
    return LogLine(ts=datetime.now(UTC), stream="fabric", text=text, level=LogLevel.ERROR)


def _clean_up(entered: list[Step], attempt: Attempt) -> None:
    for step in reversed(entered):
        try:
            step.cleanup(attempt)
        except Exception as error:
            log.error("cleanup_failed", attempt=attempt.label, step=type(step).__name__, exc_info=error)
