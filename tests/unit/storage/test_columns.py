"""Times are exact, aware and the database's own."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from storage.columns import db_after, db_now, from_micros, to_micros
from storage.tables import locks
from tests.fixtures.fabric import database

__all__ = ["database"]


@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_survives_its_number(moment):
    assert from_micros(to_micros(moment)) == moment.astimezone(UTC)


@pytest.mark.parametrize(
    "moment", [datetime(1969, 12, 31, tzinfo=UTC), datetime(2999, 1, 1, 1, 2, 3, 4, UTC)]
)
def test_a_moment_survives_its_column(database, moment):
    with database.write() as connection:
        connection.execute(insert(locks).values(name="a", holder="h", until=moment))
    with database.read() as connection:
        assert connection.execute(select(locks.c.until)).scalar_one() == moment


def test_the_databases_clock_goes_right_and_forward(database):
    with database.read() as connection:
        first, later = (connection.execute(select(db_now())).scalar_one() for _ in range(2))
    assert first <= later
    assert abs(datetime.now(UTC) - first) < timedelta(seconds=5)


@pytest.mark.parametrize("seconds", [-90.5, 0, 0.25, 3600])
def test_seconds_are_added_to_the_databases_now(database, seconds):
    with database.read() as connection:
        now, then = connection.execute(select(db_now(), db_after(seconds))).one()
    assert (
        timedelta(seconds=seconds) - timedelta(milliseconds=1) <= then - now < timedelta(seconds=seconds + 1)
    )


def test_a_lease_is_compared_with_the_databases_clock(database):
    with database.write() as connection:
        connection.execute(insert(locks).values(name="past", holder="h", until=db_after(-1)))
        connection.execute(insert(locks).values(name="future", holder="h", until=db_after(60)))
    with database.read() as connection:
        over = connection.execute(select(locks.c.name).where(locks.c.until < db_now())).scalars()
        assert list(over) == ["past"]
