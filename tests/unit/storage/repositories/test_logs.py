import threading

import pytest

from gridloom.ids import new_uuid
from gridloom.logs import LogLevel, level_bits
from gridloom.states import Stage
from storage.repositories import accounts, logs
from tests.fixtures.log_lines import SEGMENT
from tests.unit.storage.repositories.test_jobs import create

ROW = SEGMENT.model_dump(exclude={"id"})


@pytest.fixture
def job_id(database):
    with database.write() as connection:
        return create(connection, accounts.create_account(connection, "ada"))


@pytest.fixture
def add(database, job_id):
    """Return a function that adds one segment in a transaction of its own."""

    def added(stage=Stage.APP, key="", **changes):
        with database.write() as connection:
            logs.insert(connection, job_id, stage, [ROW | {"key": key or new_uuid()} | changes])

    return added


@pytest.fixture
def lines_of(database, job_id):
    """Return a function that gives the first lines of the segments that may hold what is wanted."""

    def found(wanted=None, start=0, end=999, **how):
        with database.read() as connection:
            limit = how.pop("limit", 99)
            rows = logs.segments(
                connection, job_id, wanted or logs.Wanted(), start=start, end=end, limit=limit, **how
            )
        return [row.first_line for row in rows]

    return found


def test_only_segments_that_may_hold_the_wanted_lines_are_read(add, lines_of):
    for stage, first, last in (
        (Stage.PARTITION, 0, 0),
        (Stage.APP, 0, 4),
        (Stage.APP, 3, 9),
        (Stage.ASSEMBLE, 0, 0),
    ):
        add(stage, first_chunk=first, last_chunk=last)

    def of(chunks, **how):
        return lines_of(logs.Wanted(chunks=chunks), **how)

    assert lines_of() == [0, 1, 2, 3]
    assert lines_of(newest_first=True, limit=3) == [3, 2, 1]
    assert of({Stage.APP: None, Stage.PARTITION: None}) == [0, 1, 2]
    assert of({Stage.APP: {2}}) == [1]
    assert of({Stage.APP: {3}}) == [1, 2]
    assert of({Stage.APP: {11}, Stage.ASSEMBLE: {0}}) == [3]
    assert of({}) == []


def test_levels_and_times_that_a_segment_lacks_leave_it_out(add, lines_of):
    add(levels=level_bits([LogLevel.INFO, LogLevel.ERROR]), first_at=10, last_at=20)
    add(levels=level_bits([LogLevel.DEBUG]), first_at=20, last_at=30)
    assert lines_of(logs.Wanted(levels=level_bits([LogLevel.ERROR]))) == [0]
    assert lines_of(logs.Wanted(levels=level_bits([LogLevel.ERROR, LogLevel.DEBUG]))) == [0, 1]
    assert lines_of(logs.Wanted(from_at=21)) == [1]
    assert lines_of(logs.Wanted(to_at=20)) == [0]
    assert lines_of(logs.Wanted(from_at=20, to_at=21)) == [0, 1]


def test_a_reader_who_goes_on_gets_the_segment_that_its_place_lies_in(add, lines_of):
    for lines in (10, 5, 7):
        add(lines=lines)
    assert lines_of() == [0, 10, 15]
    assert lines_of(start=9) == [0, 10, 15]
    assert lines_of(start=10) == [10, 15]
    assert lines_of(start=17) == [15]
    assert lines_of(end=10) == [0]


def test_places_follow_commits_whoever_was_first_to_begin(database, job_id, add, lines_of):
    if database.is_sqlite:
        pytest.skip("SQLite has one writer")
    begun = threading.Thread(target=add)
    with database.write() as connection:
        logs.insert(connection, job_id, Stage.APP, [ROW | {"key": "first", "lines": 3}])
        begun.start()
        begun.join(0.3)
        assert begun.is_alive()
        assert lines_of() == []
    begun.join()
    assert lines_of() == [0, 3]


def test_a_segment_that_comes_again_is_kept_once(add, lines_of):
    for key in ("a", "b", "a", "c", "b"):
        add(key=key)
    assert lines_of() == [0, 1, 2]


def test_every_full_run_is_offered_once(database, job_id, add):
    with database.write() as connection:
        rows = [ROW | {"key": f"k{number}"} for number in range(logs.RUN + 3)]
        logs.insert(connection, job_id, Stage.APP, rows)
        (last,) = logs.runs(connection, 0, 9)
        assert [it.number for it in logs.run_of(connection, last)] == list(range(logs.RUN))
        assert logs.runs(connection, 60, 9) == []
        logs.end_run(connection, last)
        assert logs.runs(connection, 0, 9) == []
    for _ in range(logs.RUN - 3):
        add()
    with database.read() as connection:
        assert [it.number for it in logs.runs(connection, 0, 9)] == [2 * logs.RUN - 1]


def test_one_segment_takes_the_place_of_neighbours(database, job_id, add, lines_of):
    for number in range(4):
        add(key=f"k{number}", lines=2, first_chunk=number, last_chunk=number, levels=1 << number)
    with database.write() as connection:
        parts = logs.run_of(connection, _Last(job_id, logs.RUN - 1))[:3]
        values = {"key": "merged", "size": 5, "texts_size": 6}
        assert logs.replace(connection, parts, values)
        assert logs.unused(connection, job_id, {"k0", "k2", "k3"}) == {"k0", "k2"}
        assert not logs.replace(connection, parts, values)
    assert lines_of() == [0, 6]
    assert lines_of(start=5) == [0, 6]
    assert lines_of(logs.Wanted(levels=4)) == [0]
    assert lines_of(logs.Wanted(chunks={Stage.APP: {2}})) == [0]
    add()
    assert lines_of() == [0, 6, 8]
    with database.write() as connection:
        assert logs.total_lines(connection, job_id) == 9
        logs.forget(connection, job_id)
        assert logs.total_lines(connection, job_id) == 0


class _Last:
    def __init__(self, job_id, number):
        self.job_id, self.number = job_id, number
