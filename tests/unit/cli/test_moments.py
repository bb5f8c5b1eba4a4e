"""Tests of times as users write them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cli.moments import future, past


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2h", 7200), ("30m", 1800), ("7d", 604800), ("1w", 604800), (" 5 m ", 300)],
)
def test_a_duration_leads_back_or_ahead(text, seconds):
    span, now = timedelta(seconds=seconds), datetime.now(UTC)
    assert abs(past(text) - (now - span)) < timedelta(seconds=5)
    assert abs(future(text) - (now + span)) < timedelta(seconds=5)


def test_a_time_is_utc_unless_it_says_otherwise():
    assert past("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    assert future("2026-01-31T12:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert past("2026-01-31T12:00+02:00") == datetime(2026, 1, 31, 10, tzinfo=UTC)


@given(st.text(max_size=12))
def test_anything_else_is_wrong_usage(text):
    with suppress(typer.BadParameter):
        assert past(text).tzinfo is not None


def test_wrong_usage_shows_what_is_right():
    with pytest.raises(typer.BadParameter, match="neither like 2026-01-31T12:00 nor like 2h"):
        past("tomorrow")
