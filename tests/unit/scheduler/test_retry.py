"""Which budget pays for an ended attempt, and when it is empty."""

import pytest

from gridloom.states import BLAME, Blame, EndReason, TaskState
from scheduler.retry import Budgets, Record, backoff_s, decide

BUDGETS = Budgets(user=2, infra=3, kills=3)
CLEAN = Record(user_failures=0, infra_failures=0, kills=0, alone=False)


def record(**changes):
    return Record(**{"user_failures": 0, "infra_failures": 0, "kills": 0, "alone": False} | changes)


def of_blame(blame):
    return [reason for reason in EndReason if BLAME[reason] is blame]


@pytest.mark.parametrize("reason", of_blame(Blame.USER))
def test_users_failures_are_tried_again_at_once_as_often_as_the_job_allows(reason):
    first = decide(CLEAN, reason, BUDGETS)
    assert (first.state, first.wait_s, first.user_failures) == (TaskState.SCHEDULED, 0.0, 1)
    assert decide(record(user_failures=1), reason, BUDGETS).retried
    last = decide(record(user_failures=2), reason, BUDGETS)
    assert (last.state, last.reason, last.user_failures) == (TaskState.FAILED, reason, 3)


@pytest.mark.parametrize("reason", of_blame(Blame.USER))
def test_without_retries_a_users_first_failure_is_final(reason):
    assert not decide(CLEAN, reason, Budgets(user=0, infra=3, kills=3)).retried


@pytest.mark.parametrize("reason", of_blame(Blame.INFRASTRUCTURE))
def test_the_fabrics_failures_wait_and_cost_the_user_nothing(reason):
    verdict = decide(CLEAN, reason, Budgets(user=0, infra=3, kills=3))
    assert verdict.retried
    assert verdict.wait_s > 0
    assert (verdict.user_failures, verdict.infra_failures) == (0, 1)


@pytest.mark.parametrize("reason", of_blame(Blame.INFRASTRUCTURE))
def test_the_fabrics_budget_ends_too(reason):
    verdict = decide(record(infra_failures=3), reason, BUDGETS)
    assert (verdict.state, verdict.reason, verdict.wait_s) == (TaskState.FAILED, reason, 0.0)


@pytest.mark.parametrize("reason", of_blame(Blame.FATAL))
def test_what_no_retry_can_help_fails_at_once(reason):
    verdict = decide(CLEAN, reason, BUDGETS)
    assert (verdict.state, verdict.reason) == (TaskState.FAILED, reason)
    assert (verdict.user_failures, verdict.infra_failures) == (0, 0)


@pytest.mark.parametrize("reason", of_blame(Blame.NOBODY))
def test_what_was_handed_back_costs_nothing_however_often(reason):
    verdict = decide(record(user_failures=2, infra_failures=3), reason, BUDGETS)
    assert verdict.retried
    assert (verdict.wait_s, verdict.user_failures, verdict.infra_failures) == (0.0, 2, 3)


def test_a_chunk_that_takes_its_worker_down_three_times_is_poison():
    verdict = decide(record(alone=True, kills=1, infra_failures=1), EndReason.WORKER_LOST, BUDGETS)
    assert verdict.retried
    assert verdict.kills == 2
    verdict = decide(record(alone=True, kills=2, infra_failures=2), EndReason.WORKER_LOST, BUDGETS)
    assert (verdict.state, verdict.reason) == (TaskState.FAILED, EndReason.POISON)


def test_a_chunk_lost_with_others_is_not_blamed():
    assert decide(record(kills=2), EndReason.WORKER_LOST, BUDGETS).retried
    assert decide(record(kills=2, alone=True), EndReason.STORE_UNAVAILABLE, BUDGETS).kills == 2


def test_a_worker_that_outlives_an_attempt_clears_the_chunk():
    assert decide(record(kills=2), EndReason.EXIT_NONZERO, BUDGETS).kills == 0


def test_waits_double_up_to_half_a_minute():
    assert [backoff_s(it) for it in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff_s(10_000) == 30
