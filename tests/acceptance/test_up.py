"""`gridloom up` as its operator meets it: one on a folder, ready soon, gone soon, and back where it was."""

import stat
import subprocess
import sys

import httpx

from gridloom.states import JobState
from tests.fixtures.live_fabric import component

READY_WITHIN_S = 30.0  #: three on an idle machine; this one may run three other fabrics meanwhile
STOPS_WITHIN_S = 10.0
SLOW = """
sleep 1
echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/$CHUNK_NUMBER.txt"
"""


def test_it_is_ready_soon_and_keeps_its_credentials_private(fabric):
    assert fabric.started_in_s < READY_WITHIN_S
    credentials = fabric.data_dir / "credentials.json"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(fabric.data_dir.stat().st_mode) == 0o700
    for path in ("/healthz", "/readyz"):
        assert httpx.get(fabric.url + path).status_code == 200


def test_a_second_one_on_the_folder_says_so_and_ends(fabric):
    second = subprocess.run(**fabric.command(), capture_output=True, text=True, check=False, timeout=30)
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr == (
        f"error: {fabric.data_dir} is in use by another gridloom up (process {fabric.up.pid})\n"
    )
    assert httpx.get(f"{fabric.url}/readyz").status_code == 200


def test_it_stops_soon_amid_tasks_and_the_next_one_goes_on(start_fabric):
    fabric = start_fabric(env={"GRIDLOOM_DRAIN_S": "0.5"})
    app = fabric.push(component("slow", SLOW))
    job_id = fabric.run(
        {"app": app, "partitioner": "fanout-replica", "params": {"partitioner": {"num_replicas": 8}}}
    )
    fabric.await_completed(job_id, 2)
    took_s = fabric.stop()
    assert took_s < STOPS_WITHIN_S
    assert fabric.leftovers() == []
    sys.stdout.write(f"SIGTERM amid tasks: gone after {took_s:.2f} s\n")
    job = fabric.start().job(job_id)
    assert job["state"] == JobState.PARTITIONED
    assert 2 <= job["progress"]["completed"] < 8
    fabric.finished(job_id)
    assert fabric.results(job_id) == {f"{it}.txt": b"%d\n" % it for it in range(8)}


def test_a_stubborn_script_delays_the_stop_no_further_than_the_drain(start_fabric):
    fabric = start_fabric()
    app = fabric.push(component("stubborn", 'trap "" TERM INT HUP\nsleep 600\n'))
    job_id = fabric.run({"app": app})
    fabric.await_running(job_id)
    took_s = fabric.stop()
    assert took_s < STOPS_WITHIN_S
    assert fabric.leftovers() == []
    sys.stdout.write(f"SIGTERM amid tasks: gone after {took_s:.2f} s\n")
