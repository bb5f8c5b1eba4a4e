"""A job that is stopped stops: its scripts are killed at once and leave nothing."""

import sys
import time
from collections.abc import Callable

import pytest

from gridloom.errors import ClientError
from gridloom.states import JobState
from tests.fixtures.live_fabric import LiveFabric, component, until

STOPS_WITHIN_S = 5.0
SLEEPER = """
trap "" TERM INT
setsid sleep 600 &
sleep 600
"""


def sleepers(fabric: LiveFabric) -> list[str]:
    return [it for it in fabric.leftovers() if it.endswith("sleep 600")]


def run_sleepers(fabric: LiveFabric) -> str:
    """Return a job whose two tasks run two processes each."""
    app = fabric.push(component("sleeper", SLEEPER))
    replicas = {"partitioner": {"num_replicas": 2}}
    job_id = fabric.run({"app": app, "partitioner": "fanout-replica", "params": replicas})
    fabric.await_running(job_id, 2)
    until(lambda: len(sleepers(fabric)) == 4, "the scripts sleep")
    return job_id


def gone_after(fabric: LiveFabric, stop: Callable[[], object]) -> float:
    asked_at = time.monotonic()
    stop()
    until(lambda: not sleepers(fabric), "the scripts are gone", STOPS_WITHIN_S)
    return time.monotonic() - asked_at


def test_an_abort_kills_running_tasks_at_once(fabric):
    job_id = run_sleepers(fabric)
    took_s = gone_after(fabric, lambda: fabric.client.abort_job(job_id))
    sys.stdout.write(f"aborted: no process after {took_s:.2f} s\n")
    assert fabric.job(job_id)["state"] == JobState.ABORTED
    assert {it["state"] for it in fabric.tasks(job_id)} == {"Aborted"}
    with pytest.raises(ClientError, match="has ended already"):
        fabric.client.abort_job(job_id)


def test_deleting_a_running_job_aborts_it(fabric):
    job_id = run_sleepers(fabric)
    took_s = gone_after(fabric, lambda: fabric.client.delete_job(job_id))
    sys.stdout.write(f"deleted: no process after {took_s:.2f} s\n")
    with pytest.raises(ClientError) as refusal:
        fabric.client.job(job_id)
    assert refusal.value.status == 404
    assert job_id not in [it.id for it in fabric.client.jobs(limit=100)]


def test_the_slots_of_stopped_tasks_take_the_next_job(fabric):
    fabric.client.abort_job(run_sleepers(fabric))
    app = fabric.push(component("quick", 'echo done > "$TASK_RESULTS_DIR/out.txt"\n'))
    job_id = fabric.run({"app": app})
    fabric.finished(job_id)
    assert fabric.results(job_id) == {"out.txt": b"done\n"}
