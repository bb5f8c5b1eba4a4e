"""Tests of what is said about progress."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.progress import Pace, job_progress, label, progress_line, stage_times
from gridloom.client import Job
from gridloom.states import JobState

START = datetime(2026, 1, 1, tzinfo=UTC)


def view(state=JobState.PARTITIONED, completed=0, total=None, chunks=0, **times):
    stamps = {f"JOB_STATE_{name}": START + timedelta(seconds=at) for name, at in times.items()}
    return Job(
        {
            "id": "j",
            "state": state,
            "numChunks": chunks,
            "progress": {"completed": completed, "total": total},
            "stateTimestamps": {name: at.isoformat() for name, at in stamps.items()},
        }
    )


def pace_of(*samples):
    pace = Pace()
    for at_s, count in samples:
        pace.note(at_s, count)
    return pace


def test_pace_and_time_left_follow_the_last_half_minute():
    pace = pace_of((0, 0), (100, 1000), (110, 1020))
    assert pace.per_s == 2
    assert pace.left_s(10) == 5


def test_the_time_before_the_first_step_does_not_count():
    assert pace_of((0, 0), (20, 0), (22, 4)).per_s == 2


@pytest.mark.parametrize("samples", [(), ((0, 5),), ((0, 5), (0, 6)), ((0, 5), (9, 5))])
def test_no_pace_gives_no_time_left(samples):
    assert pace_of(*samples).left_s(10) is None


def test_a_line_tells_stage_chunks_rate_and_time_left():
    job = view(completed=50, total=100, chunks=100)
    assert progress_line(job, pace_of((0, 0), (10, 50))) == "Running tasks  50/100 chunks  5.0/s  10 s left"


def test_a_line_tells_how_long_tasks_waited_for_their_slots():
    means = {"tasks": 4, "meanSeconds": {"claimed": 0.0012}, "claims": {"warm": 0.75, "cold": 0.25}}
    job = Job(view(completed=4, total=8, chunks=8).raw | {"phases": means})
    assert progress_line(job, Pace()) == "Running tasks  4/8 chunks  claimed 1.2 ms (75 % warm)"


def test_chunks_are_open_ended_while_the_partitioner_runs():
    job = view(JobState.PARTITIONING, completed=5, chunks=30)
    assert progress_line(job, Pace()) == "Partitioning  5/30+ chunks"


def test_a_stage_without_chunks_is_only_named():
    assert progress_line(view(JobState.UPLOADING), Pace()) == "Uploading"


@pytest.mark.parametrize("state", JobState)
def test_every_state_has_a_name_for_people(state):
    assert label(state)
    assert "_" not in label(state)


def test_times_of_stages_reach_from_one_state_to_the_next():
    job = view(JobState.COMPLETE, NEW=0, STARTED=1, PARTITIONED=3, COMPLETE=7.5)
    assert stage_times(job) == [("Started", 2), ("Running tasks", 4.5)]


def test_lines_come_at_a_new_stage_and_not_for_each_poll(capsys):
    with job_progress(quiet=False) as show:
        for job in (
            view(JobState.STARTED),
            view(completed=1, total=9),
            view(completed=2, total=9),
            view(JobState.MERGING),
        ):
            show(job)
    assert [line.partition("  ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "Started",
        "Running tasks",
        "Assembling",
    ]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with job_progress(quiet=False) as show:
        show(view(completed=1, total=9, chunks=9))
    assert "Running tasks  1/9 chunks" in capsys.readouterr().err


def test_nothing_is_said_when_quiet(capsys):
    with job_progress(quiet=True) as show:
        show(view())
    assert capsys.readouterr() == ("", "")
