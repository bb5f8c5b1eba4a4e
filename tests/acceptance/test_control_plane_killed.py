"""SIGKILL of scheduler and control plane amid a job, on both databases."""

import pytest

from tests.fixtures.marathon import QUICK, Marathon, kill

pytestmark = pytest.mark.timeout(300)


def test_the_job_goes_on_while_scheduler_and_control_plane_are_killed(start_fabric):
    fabric = start_fabric(env=QUICK)
    job = Marathon(fabric, 120)
    for moment, part in ((10, "scheduler"), (40, "api"), (70, "scheduler"), (90, "api")):
        fabric.await_completed(job.id, moment)
        kill(fabric, job.id, part)
    job.await_assembly()
    fabric.kill("api")
    fabric.kill("scheduler")
    job.check()


def test_kills_lose_nothing_on_postgresql(start_fabric, postgres_url):
    fabric = start_fabric(env=QUICK | {"GRIDLOOM_DATABASE_URL": postgres_url})
    job = Marathon(fabric, 80, hanging=["assembler"])
    for moment, part in ((10, "worker"), (25, "valkey"), (40, "scheduler"), (55, "api")):
        fabric.await_completed(job.id, moment)
        kill(fabric, job.id, part)
    fabric.kill_all()
    fabric.start()
    job.await_assembly()
    fabric.kill("worker")
    job.check()
    assert not (fabric.data_dir / "gridloom.db").exists()
