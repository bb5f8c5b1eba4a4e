"""A fabric whose tasks run in containers: of their own image, warm, and none left when it is gone."""

import pytest

from gridloom.states import JobState
from tests.fixtures.live_fabric import component, until

pytestmark = pytest.mark.timeout(300)

SCRIPT = """
import os, sys, time
time.sleep(0.05)
name = os.environ["TASK_RESULTS_DIR"] + "/" + os.environ["CHUNK_NUMBER"]
with open(name, "w") as file:
    file.write(f"{os.getuid()} {os.uname().nodename}")
"""
SHELL = """
echo "$(id -u)" > $TASK_RESULTS_DIR/$CHUNK_NUMBER
"""


@pytest.fixture
def fabric(start_fabric, docker_url):
    return start_fabric(runner="docker", env={"GRIDLOOM_DOCKER_URL": docker_url})


def replicas(fabric, app, number):
    """Return a job that runs the app so many times."""
    body = {"app": app, "partitioner": "fanout-replica", "params": {"partitioner": {"num_replicas": number}}}
    return fabric.run(body)


def containers(fabric, docker_client):
    """Return the containers that the fabric's slots are."""
    labelled = docker_client.containers.list(
        all=True, filters={"label": "gridloom.worker"}, ignore_removed=True
    )
    return [it for it in labelled if str(fabric.data_dir) in str(it.attrs["Mounts"])]


def test_tasks_run_in_warm_containers_of_their_image_while_workers_die(fabric, docker_client, python_image):
    app = fabric.push(component("where", SCRIPT, entrypoint="main.py", image=python_image))
    job_id = replicas(fabric, app, 60)
    fabric.await_completed(job_id, 5)
    assert containers(fabric, docker_client)
    fabric.kill("worker")
    fabric.await_completed(job_id, 30)
    fabric.kill("worker")
    job = fabric.finished(job_id)
    assert fabric.results(job_id) == {str(number): b"65534 task" for number in range(60)}
    tasks = fabric.tasks(job_id)
    assert {it["deviceInfo"]["isolation"] for it in tasks} == {"container+namespaces"}
    assert {it["deviceInfo"]["image"][:7] for it in tasks} == {"sha256:"}
    assert job["phases"]["claims"]["warm"] > 0.5
    fabric.stop()
    until(lambda: not containers(fabric, docker_client), "no container is left")


def test_an_image_without_python_serves_a_shell_script(fabric, busybox_image):
    app = fabric.push(component("shell", SHELL, image=busybox_image))
    job_id = replicas(fabric, app, 4)
    assert fabric.finished(job_id)["state"] == JobState.COMPLETE
    assert set(fabric.results(job_id).values()) == {b"65534\n"}


def test_strict_tasks_have_containers_of_their_own(fabric, python_image):
    script = (
        SCRIPT + "import pathlib\nassert not pathlib.Path('/tmp/seen').exists()\nopen('/tmp/seen', 'w')\n"
    )
    manifest = {"warm": {"isolation": "strict", "preload": "off"}}
    app = fabric.push(component("strict", script, entrypoint="main.py", image=python_image, **manifest))
    job_id = replicas(fabric, app, 4)
    fabric.finished(job_id)
    assert fabric.job(job_id)["phases"]["claims"]["cold"] > 0


def test_an_image_that_does_not_exist_fails_the_job_and_is_named(fabric):
    app = fabric.push(component("missing", SHELL, image="127.0.0.1:1/no/such:image"))
    job_id = replicas(fabric, app, 1)
    job = until(lambda: (it := fabric.job(job_id)) and it["warning"] and it, "the job tells its trouble")
    assert "127.0.0.1:1/no/such:image" in job["warning"]
    fabric.client.abort_job(job_id)
