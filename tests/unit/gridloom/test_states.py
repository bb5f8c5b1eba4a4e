"""Tests of the states and their table of moves."""

from itertools import pairwise, product

import pytest

from gridloom.states import (
    BLAME,
    JOB_FINAL,
    JOB_LIVE,
    JOB_MOVES,
    JOB_ORDER,
    TASK_FINAL,
    TASK_LEASED,
    TASK_MOVES,
    TASK_WAITING,
    EndReason,
    JobState,
    TaskState,
    job_path,
    job_sources_of,
    task_sources_of,
)

TASK_ALLOWED = {
    "Scheduled": {"Assigned", "Received", "Completed", "Failed", "Aborted"},
    "Assigned": {"Scheduled", "Received", "Completed", "Failed", "Aborted"},
    "Received": {"Scheduled", "Running", "Completed", "Failed", "Aborted"},
    "Running": {"Scheduled", "Completed", "Failed", "Aborted"},
    "Completed": {"Scheduled"},
    "Failed": set(),
    "Aborted": set(),
}


def reachable(moves, origin):
    seen, todo = set(), [origin]
    while todo:
        for target in moves.get(todo.pop(), frozenset()) - seen:
            seen.add(target)
            todo.append(target)
    return seen


@pytest.mark.parametrize(("origin", "target"), [*product(JobState, JobState)])
def test_a_job_moves_one_step_ahead_or_ends_early(origin, target):
    started = origin in JOB_ORDER[1:-1]
    ahead = origin in JOB_ORDER[:-1] and target is JOB_ORDER[JOB_ORDER.index(origin) + 1]
    again = origin in JOB_FINAL and target is JobState.MERGED
    allowed = ahead or again or (started and target in {JobState.FAILED, JobState.ABORTED})
    assert (origin in job_sources_of(target)) is allowed


@pytest.mark.parametrize(("origin", "target"), [*product(TaskState, TaskState)])
def test_a_task_moves_only_as_the_table_says(origin, target):
    assert (origin in task_sources_of(target)) is (target.value in TASK_ALLOWED[origin.value])


def test_a_job_leaves_a_final_state_only_to_be_delivered_again():
    assert {JOB_MOVES[state] for state in JOB_FINAL} == {frozenset({JobState.MERGED})}


def test_no_task_leaves_failed_or_cancelled():
    assert not {TaskState.FAILED, TaskState.CANCELLED} & TASK_MOVES.keys()


@pytest.mark.parametrize("state", sorted(JOB_LIVE))
def test_every_live_job_can_end_in_every_final_state(state):
    assert reachable(JOB_MOVES, state) >= JOB_FINAL


@pytest.mark.parametrize("state", sorted(TASK_WAITING | TASK_LEASED))
def test_every_open_task_can_end_and_be_tried_again(state):
    assert reachable(TASK_MOVES, state) >= TASK_FINAL | {TaskState.SCHEDULED}


def test_the_sets_of_states_part_all_states():
    assert sorted({JobState.NEW} | JOB_LIVE | JOB_FINAL) == sorted(JobState)
    assert sorted(TASK_WAITING | TASK_LEASED | TASK_FINAL) == sorted(TaskState)
    assert not JOB_LIVE & (JOB_FINAL | {JobState.NEW})
    assert not TASK_WAITING & TASK_LEASED


def test_a_path_names_every_state_on_the_way():
    path = job_path(JobState.STARTED, JobState.PARTITIONED)
    assert path == (JobState.UPLOADING, JobState.PARTITIONING, JobState.PARTITIONED)


@pytest.mark.parametrize(("origin", "target"), [*product(JOB_ORDER, JOB_ORDER)])
def test_a_path_follows_allowed_moves_or_is_refused(origin, target):
    if JOB_ORDER.index(target) <= JOB_ORDER.index(origin):
        with pytest.raises(ValueError, match="does not lie ahead"):
            job_path(origin, target)
        return
    steps = (origin, *job_path(origin, target))
    assert all(after in JOB_MOVES[before] for before, after in pairwise(steps))
    assert steps[-1] is target


def test_every_reason_has_one_that_pays():
    assert BLAME.keys() == set(EndReason)
