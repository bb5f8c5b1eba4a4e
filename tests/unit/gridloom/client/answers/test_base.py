"""Tests of answers."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gridloom.client import Job
from gridloom.client.answers.account import Token
from gridloom.client.answers.wallet import Balance
from gridloom.errors import ClientError
from gridloom.states import JobState


def test_an_answer_takes_what_the_fabric_says():
    job = Job(
        {
            "id": "j",
            "state": "JOB_STATE_COMPLETE",
            "numChunks": "3",
            "progress": {"completed": 3, "total": 3, "ratePerSecond": 1.5},
            "phases": None,
            "stateTimestamps": {"JOB_STATE_NEW": "2026-01-01T00:00:00Z"},
            "duration": 2.5,
            "newer": 1,
        }
    )
    assert job.state == JobState.COMPLETE
    assert job.is_final
    assert (job.num_chunks, job.progress.total, job.duration_s, job.phases) == (3, 3, 2.5, None)
    assert job.state_timestamps == {"JOB_STATE_NEW": datetime(2026, 1, 1, tzinfo=UTC)}
    assert job.raw["newer"] == 1


def test_what_is_missing_or_null_has_its_default():
    assert Job({}) == Job({})
    job = Job({"name": None, "progress": None})
    assert (job.name, job.progress.completed, job.created_at, job.params) == ("", 0, None, {})


def test_amounts_are_exact():
    assert Balance({"totalBalance": 0.00000001}).total_balance == Decimal("1E-8")
    assert Balance({"totalBalance": "19.05518337"}).total_balance == Decimal("19.05518337")


def test_what_cannot_be_read_is_named():
    with pytest.raises(ClientError, match="numChunks is 'many'"):
        Job({"numChunks": "many"}).num_chunks  # noqa: B018 (reading it is the test)


def test_an_answer_cannot_be_changed_and_shows_no_secret():
    token = Token({"token": "secret"})
    with pytest.raises(AttributeError, match="can't be changed"):
        token.scope = "all"
    assert "secret" not in repr(token)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("COMPLETE", ""),
        ("MERGING", ""),
        ("FAILED", "job j failed: why"),
        ("ABORTED", "job j was aborted: why"),
    ],
)
def test_a_failure_is_told_with_its_reason(state, message):
    assert Job({"id": "j", "state": f"JOB_STATE_{state}", "errorMessage": "why"}).failure == message
