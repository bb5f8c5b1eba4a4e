"""A draft becomes a running job, once, with a process only where one is needed."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from gridloom.errors import BadState, NotFound
from gridloom.ids import new_uuid
from gridloom.sources import SourceSpec
from gridloom.states import JobState, Stage, TaskState
from scheduler import launch
from storage.repositories import dispatch
from tests.fixtures.fabric import plan_of, stage_of


def test_a_job_begins_with_its_partitioner(fabric):
    job_id = fabric.run(plan_of(job_timeout_s=60))
    row = fabric.job(job_id)
    assert row.state == JobState.STARTED
    assert row.deadline_at - row.started_at == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=5))
    assert fabric.states(job_id, Stage.PARTITION) == [TaskState.SCHEDULED]
    assert fabric.tasks(job_id) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (SourceSpec(descriptor="file", blob_key="uploads/x"), ("uploads/x", 7, "of x")),
        (SourceSpec(descriptor="bypass"), (None, 1, hashlib.sha256(b"\n").hexdigest())),
    ],
)
def test_a_passthrough_of_what_the_fabric_has_is_a_chunk_already(fabric, source, expected):
    plan = plan_of(partitioner=stage_of(passthrough=True), source=source)
    job_id = fabric.run(plan, upload={"key": "uploads/x", "size": 7, "sha256": "of x"})
    row, task = fabric.job(job_id), fabric.task(job_id)
    assert (row.state, row.chunks, row.total, row.deadline_at) == (JobState.PARTITIONED, 1, 1, None)
    assert row.started_at is not None
    assert (task.chunk_key, task.chunk_size, task.chunk_sha256) == expected
    assert fabric.tasks(job_id, Stage.PARTITION) == []


def test_a_passthrough_of_a_url_has_to_be_fetched_first(fabric):
    job_id = fabric.run(plan_of(partitioner=stage_of(passthrough=True)))
    assert fabric.states(job_id, Stage.PARTITION) == [TaskState.SCHEDULED]


def test_a_job_runs_once(fabric):
    job_id = fabric.run()
    with pytest.raises(BadState, match="only a new job"):
        fabric.write(launch.launch, job_id, plan_of())
    assert len(fabric.tasks(job_id, Stage.PARTITION)) == 1


def test_no_job_can_not_be_run(fabric):
    with pytest.raises(NotFound):
        fabric.write(launch.launch, new_uuid(), plan_of())


@pytest.mark.parametrize("passthrough", [False, True])
def test_nothing_of_a_job_is_handed_out_before_its_planned_start(fabric, passthrough):
    plan = plan_of(
        partitioner=stage_of(passthrough=passthrough),
        source=SourceSpec(descriptor="bypass"),
        job_timeout_s=60,
    )
    stage = Stage.APP if passthrough else Stage.PARTITION
    start_at = datetime(2099, 1, 1, tzinfo=UTC)
    later, past = (
        fabric.run(plan, start_at=start_at),
        fabric.run(plan, start_at=datetime(2020, 1, 1, tzinfo=UTC)),
    )
    with fabric.database.read() as connection:
        assert dispatch.next_chunks(connection, later, stage, 5) == []
        assert [row.chunk for row in dispatch.next_chunks(connection, past, stage, 5)] == [0]
    row = fabric.job(later)
    assert (row.started_at, row.deadline_at) == (start_at, start_at + timedelta(seconds=60))
    assert row.submitted_at < start_at
    assert fabric.job(past).started_at == fabric.job(past).submitted_at
