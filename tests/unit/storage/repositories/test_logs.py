import pytest
from sqlalchemy import insert

from gridloom.states import Stage
from storage.columns import db_now
from storage.repositories import accounts, logs
from storage.tables import log_segments
from tests.unit.storage.repositories.test_jobs import create


@pytest.fixture
def connection(database):
    with database.write() as connection:
        yield connection


def test_only_segments_that_may_hold_the_wanted_lines_are_read(connection):
    job_id = create(connection, accounts.create_account(connection, "ada"))
    spans = [(Stage.PARTITION, 0, 0), (Stage.APP, 0, 4), (Stage.APP, 3, 9), (Stage.ASSEMBLE, 0, 0)]
    for stage, first, last in spans:
        values = {"job_id": job_id, "stage": stage, "first_chunk": first, "last_chunk": last}
        rest = {"lines": 1, "key": "k", "offset": 0, "size": 1, "created_at": db_now()}
        connection.execute(insert(log_segments).values(**values, **rest))

    def spans_of(wanted, from_id=0, limit=9):
        rows = logs.segments(connection, job_id, wanted=wanted, from_id=from_id, limit=limit)
        return [spans.index((row.stage, row.first_chunk, row.last_chunk)) for row in rows]

    assert spans_of(dict.fromkeys(Stage)) == [0, 1, 2, 3]
    assert spans_of({Stage.APP: None, Stage.PARTITION: None}) == [0, 1, 2]
    assert spans_of({Stage.APP: {2}}) == [1]
    assert spans_of({Stage.APP: {3}}) == [1, 2]
    assert spans_of({Stage.APP: {11}, Stage.ASSEMBLE: {0}}) == [3]
    assert spans_of({}) == []
    assert spans_of(dict.fromkeys(Stage), limit=2) == [0, 1]
    first = logs.segments(connection, job_id, wanted=dict.fromkeys(Stage), from_id=0, limit=1)[0]
    assert spans_of(dict.fromkeys(Stage), from_id=first.id + 1) == [1, 2, 3]
