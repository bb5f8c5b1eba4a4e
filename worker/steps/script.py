"""The user's script, run in the bundle's warm slot."""

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from worker.attempt import Attempt, Phase
from worker.output import OutputCapture
from worker.runners.protocol import Ended, Execution, Limits
from worker.scrub import ScrubbedSink


class Script:
    """Runs `app/<entrypoint>` of the component, with its output captured."""

    phase: Phase = "ran"

    def prepare(self, attempt: Attempt) -> None:
        """Run the script.

        Raises:
            AttemptFailed: when it does not end with exit code 0.
            LeaseLost: when the lease ended before it began.
        """
        capture = OutputCapture(attempt.shop.settings.log_cap_kib * 1024)
        scrubbed = ScrubbedSink(capture, attempt.scrubber) if attempt.scrubber else None
        watched = attempt.shop.live_logs.watch(attempt.lease, capture)
        try:
            attempt.ended = attempt.slot.run(_execution(attempt), scrubbed or capture, attempt.lease)
        finally:
            if scrubbed is not None:
                scrubbed.finish()
            attempt.lines += attempt.shop.live_logs.leave(watched)
        if attempt.trouble is not None:
            raise attempt.trouble
        if attempt.ended.reason is not None:
            raise _failure(attempt, attempt.ended)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the slot left no process behind."""


def _execution(attempt: Attempt) -> Execution:
    code, entrypoint = attempt.code, attempt.work.component.entrypoint
    if code is None:
        raise RunnerFailed("there is no component to run")
    caches = attempt.shop.caches.of(attempt.work.owner_id)
    return Execution(
        label=attempt.label,
        component=code,
        script=code / "app" / entrypoint,
        env={**attempt.work.env, **caches, **attempt.env},
        folders=tuple(attempt.folders),
        limits=Limits(timeout_s=attempt.work.timeout_s, memory_mib=attempt.work.needs.memory_mib),
    )


def _failure(attempt: Attempt, ended: Ended) -> AttemptFailed:
    reason = ended.reason or EndReason.RUNNER_FAILED
    if reason is EndReason.EXIT_NONZERO and attempt.shop.scratch.is_full():
        return AttemptFailed(EndReason.DISK_FULL, f"{ended.message}; the worker's disk is full")
    return AttemptFailed(reason, ended.message, exit_code=ended.exit_code)
