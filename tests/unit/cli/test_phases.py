"""Phases as people read them."""

import pytest

from cli.phases import claimed, duration, phase_line, task_table
from gridloom.client import PhaseMeans

MEANS = PhaseMeans(
    {
        "tasks": 100,
        "meanSeconds": {"queued": 0.5, "claimed": 0.0012, "ran": 61.04},
        "claims": {"warm": 0.97, "generic": 0.0, "cold": 0.03},
    }
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.00123, "1.23 ms"),
        (0.9996, "1 s"),
        (1.5, "1.5 s"),
        (99.96, "100 s"),
        (4321.5, "4322 s"),
    ],
)
def test_a_duration_has_the_unit_that_reads_best(seconds, text):
    assert duration(seconds) == text


def test_the_wait_for_slots_is_told_with_the_share_of_warm_ones():
    assert claimed(MEANS) == "claimed 1.2 ms (97 % warm)"
    assert claimed(None) == ""
    assert claimed(PhaseMeans({"tasks": 1, "meanSeconds": {"ran": 1.0}})) == ""


def test_all_phases_stand_in_their_order():
    assert phase_line(MEANS) == (
        "queued 500 ms  pulled 0 ms  claimed 1.2 ms (97 % warm)  fetched 0 ms  ran 61 s  stored 0 ms"
    )
    assert phase_line(None) == ""


def test_a_task_that_nobody_has_yet_has_no_times():
    done = {
        "chunkNumber": 0,
        "state": "Completed",
        "retries": 1,
        "claim": "warm",
        "reuse": None,
        "phases": [{"name": "queued", "seconds": 1}, {"name": "ran", "seconds": 0.25}],
    }
    titles, first, second = task_table(
        [done, {"chunkNumber": 1, "state": "Scheduled", "retries": 0}]
    ).splitlines()
    assert titles.split()[:5] == ["chunk", "state", "retries", "claim", "queued"]
    assert first.split() == ["0", "Completed", "1", "warm", "1", "s", "250", "ms"]
    assert second.split() == ["1", "Scheduled", "0"]


def test_a_task_that_took_an_earlier_result_claimed_nothing():
    taken = {"chunkNumber": 0, "state": "Completed", "retries": 0, "claim": None, "reuse": {"hit": True}}
    assert task_table([taken]).splitlines()[1].split() == ["0", "Completed", "0", "reused"]
