"""Whether a task is tried again after an attempt ended badly, when, and at whose expense."""

from dataclasses import dataclass

from gridloom.states import BLAME, Blame, EndReason, TaskState

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a task has been through so far. `alone` tells whether the lost attempt can be blamed on this chunk: it was
    seen running, or it travelled in a bundle of its own."""

    user_failures: int
    infra_failures: int
    kills: int
    alone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """How often user code and infrastructure may fail, and how many lost workers make a chunk poison."""

    user: int
    infra: int
    kills: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where the task goes: Scheduled after `wait_s`, or Failed for `reason`; with its new record."""

    state: TaskState
    reason: EndReason
    wait_s: float
    user_failures: int
    infra_failures: int
    kills: int

    @property
    def retried(self) -> bool:
        """Whether there will be another attempt."""
        return self.state is TaskState.SCHEDULED


def decide(record: Record, reason: EndReason, budgets: Budgets) -> Verdict:
    """Return what becomes of a task whose attempt ended with `reason`; pure."""
    blame = BLAME[reason]
    user, infra, kills = record.user_failures, record.infra_failures, record.kills
    again, wait_s = False, 0.0
    if blame is Blame.NOBODY:
        again = True
    elif blame is Blame.USER:
        again, user, kills = user < budgets.user, user + 1, 0
    elif blame is Blame.INFRASTRUCTURE:
        again, wait_s, infra = infra < budgets.infra, backoff_s(infra), infra + 1
        if reason is EndReason.WORKER_LOST and record.alone:
            kills += 1
            if kills >= budgets.kills:
                again, reason = False, EndReason.POISON
    return Verdict(
        state=TaskState.SCHEDULED if again else TaskState.FAILED,
        reason=reason,
        wait_s=wait_s if again else 0.0,
        user_failures=user,
        infra_failures=infra,
        kills=kills,
    )


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many earlier failures: doubling from half a second, at most half a minute."""
    return min(_FIRST_WAIT_S * 2.0 ** min(failures, 10), _LONGEST_WAIT_S)
