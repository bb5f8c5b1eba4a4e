import pytest
from sqlalchemy import update

from gridloom.errors import BadState, NotFound
from gridloom.ids import new_uuid
from gridloom.states import JobState
from storage.repositories import accounts, jobs
from storage.tables import jobs as table


@pytest.fixture
def connection(database):
    with database.write() as connection:
        yield connection


@pytest.fixture
def ada(connection):
    return accounts.create_account(connection, "ada")


def create(connection, owner_id, name="job", **values):
    job_id = new_uuid()
    base = {
        "app_tag": "a",
        "partitioner_tag": "p",
        "assembler_tag": "z",
        "params": {"app": {"b": 1}},
        "config": {},
    }
    jobs.create(connection, base | {"id": job_id, "owner_id": owner_id, "name": name} | values)
    return job_id


def test_a_new_job_is_a_draft_with_the_time_of_its_state(connection, ada):
    row = jobs.draft(connection, create(connection, ada), owner_id=ada)
    assert (row.state, row.chunks, row.params) == (JobState.NEW, 0, {"app": {"b": 1}})
    assert row.state_times == {JobState.NEW: row.created_at.isoformat()}
    assert row == jobs.get(connection, ada, row.id)


def test_only_the_owner_finds_a_job(connection, ada):
    job_id, bob = create(connection, ada), accounts.create_account(connection, "bob")
    for owner, wanted in ((bob, job_id), (ada, new_uuid()), (ada, "no\0id")):
        with pytest.raises(NotFound):
            jobs.get(connection, owner, wanted)
    with pytest.raises(NotFound):
        jobs.draft(connection, job_id, owner_id=bob)
    assert jobs.linked(connection, job_id).id == job_id
    assert jobs.owned(connection, ada, [job_id, new_uuid()]) == [job_id]
    assert jobs.owned(connection, bob, [job_id]) == []


def test_a_job_that_was_run_is_no_draft(connection, ada):
    job_id = create(connection, ada)
    connection.execute(update(table).values(state=JobState.STARTED))
    with pytest.raises(BadState, match="JOB_STATE_STARTED"):
        jobs.draft(connection, job_id)
    with pytest.raises(BadState, match="meanwhile"):
        jobs.change(connection, job_id, name="late")
    with pytest.raises(BadState, match="aborted first"):
        jobs.remove(connection, ada, job_id)
    assert jobs.get(connection, ada, job_id).name == "job"


def test_a_removed_job_is_gone_for_everyone(connection, ada):
    job_id = create(connection, ada)
    jobs.remove(connection, ada, job_id)
    assert jobs.count(connection, ada) == 0
    for look in (lambda: jobs.get(connection, ada, job_id), lambda: jobs.linked(connection, job_id)):
        with pytest.raises(NotFound):
            look()
