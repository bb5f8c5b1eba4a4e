import pytest

from storage.repositories import accounts, assembly, outputs
from tests.unit.storage.repositories.test_jobs import create


@pytest.fixture
def connection(database):
    with database.write() as connection:
        yield connection


def test_only_the_output_of_one_epoch_counts_and_comes_in_pages(connection):
    job_id = create(connection, accounts.create_account(connection, "ada"))
    for epoch, names in ((1, ["old"]), (2, ["b", "a/x", "c d", "ä"])):
        rows = [{"path": name, "size": 1, "key": "k", "offset": 0} for name in names]
        assembly.add_outputs(connection, job_id, epoch, rows)
    assert outputs.count(connection, job_id, 2) == 4
    listed = [row.path for row in outputs.page(connection, job_id, 2, limit=9)]
    assert sorted(listed) == ["a/x", "b", "c d", "ä"]
    walked, after = [], ""
    while page := outputs.page(connection, job_id, 2, limit=1, after=after):
        after = page[0].path
        walked.append(after)
    assert walked == listed
    assert [it.path for it in outputs.page(connection, job_id, 2, limit=2, offset=2)] == listed[2:]
    assert outputs.find(connection, job_id, 2, "b").size == 1
    assert outputs.find(connection, job_id, 1, "b") is None
