"""SIGKILL of `gridloom up` itself: no process stays, nothing committed is lost, and the next start goes on."""

import os
import sys

import pytest

from tests.fixtures.live_fabric import component
from tests.fixtures.marathon import QUICK, Marathon

pytestmark = pytest.mark.timeout(300)


def test_a_kill_of_everything_leaves_no_process_and_the_next_start_goes_on(start_fabric):
    fabric = start_fabric(env=QUICK)
    job = Marathon(fabric, 120, hanging=["assembler"])
    for moment in (5, 60):
        fabric.await_completed(job.id, moment)
        gone_s = fabric.kill_all()
        fabric.start()
        sys.stdout.write(f"SIGKILL of all: gone after {gone_s:.2f} s, up after {fabric.started_in_s:.2f} s\n")
    job.await_assembly()
    fabric.kill_all()
    fabric.start()
    job.check()


def test_a_kill_of_everything_takes_sandboxed_scripts_along(start_fabric):
    fabric = start_fabric(runner="auto", env={"GRIDLOOM_DOCKER_URL": "unix:///nowhere"})
    if fabric.ready["runner"] != "bubblewrap":
        message = "bubblewrap does not work here"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    app = fabric.push(component("sleeper", 'trap "" TERM\nsetsid sleep 600 &\nsleep 600\n'))
    replicas = {"partitioner": {"num_replicas": 2}}
    job_id = fabric.run({"app": app, "partitioner": "fanout-replica", "params": replicas})
    fabric.await_running(job_id, 2)
    assert any(it.endswith("sleep 600") for it in fabric.leftovers())
    fabric.kill_all()
    assert fabric.start().job(job_id)["progress"]["completed"] == 0
    fabric.client.abort_job(job_id)
