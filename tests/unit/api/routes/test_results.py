from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, update

from gridloom.ids import new_uuid, task_id
from gridloom.phases import Sums, stored
from gridloom.states import JobState, Stage, TaskState
from gridloom.warmth import Tier
from gridloom.wire import Spent
from storage.tables import attempts, jobs, tasks
from tests.fixtures.fabric import Fabric
from tests.unit.api.routes.conftest import path_of
from tests.unit.api.routes.test_jobs import error_of


def change(client, job, values):
    statement = update(jobs).where(jobs.c.id == job["id"]).values(**values)
    client.context.writer.run(lambda connection: connection.execute(statement))


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.COMPLETE])
def test_results_wait_for_the_end(draft, hello, state):
    job = draft()
    change(hello, job, {"state": state, "error_message": "task 3 failed"})
    message = error_of(hello.get(f"/v1/customer/jobs/{job['id']}/results"))
    assert "job has not yet been completed" in message
    assert "task 3 failed" in message


def test_each_output_file_is_one_result(finished, hello):
    job = finished({"z.zip": b"12", "a/b.txt": b"3", "c": b""})
    answer = hello.get(f"/v1/customer/jobs/{job['id']}/results").json()
    assert [(it["name"], it["size"]) for it in answer["results"]] == [
        ("a/b.txt", "1"),
        ("c", "0"),
        ("z.zip", "2"),
    ]
    assert all(it["link"] == it["url"] for it in answer["results"])
    assert answer["archive"].startswith("http://fabric.test/files/get/")
    page = hello.get(f"/v1/customer/jobs/{job['id']}/results?pagination.limit=1&pagination.offset=1").json()
    assert [it["name"] for it in page["results"]] == ["c"]
    assert page["pagination"] == {"total": 3, "offset": 1, "hasPrevious": True, "hasNext": True}


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.ABORTED])
def test_what_could_not_be_delivered_is_a_result_for_as_long_as_it_is_kept(finished, hello, state):
    job = finished({"a": b"12"}, state=state, error_message="the delivery failed: denied")
    (found,) = hello.get(f"/v1/customer/jobs/{job['id']}/results").json()["results"]
    assert hello.get(path_of(found["link"])).content == b"12"
    late = finished({"a": b"12"}, state=state, hours=-1)
    assert hello.get(f"/v1/customer/jobs/{late['id']}/results").status_code == 404


@pytest.mark.parametrize("settings", [{"public_url": "https://fabric.example/base/"}], indirect=True)
def test_links_start_with_the_public_url(finished, hello):
    job = finished({"a": b"1"})
    answer = hello.get(f"/v1/customer/jobs/{job['id']}/results").json()
    assert answer["results"][0]["url"].startswith("https://fabric.example/base/files/get/")


def test_a_bypass_leaves_no_results(finished, hello):
    job = finished({}, output_epoch=None, output_expires_at=None)
    answer = hello.get(f"/v1/customer/jobs/{job['id']}/results").json()
    assert (answer["results"], answer["archive"]) == ([], None)


@pytest.fixture
def running(draft, hello):
    """Return a job with tasks in all states, by chunk, and one that partitions."""
    job, moment = draft(), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    base = {"job_id": job["id"], "created_at": moment, "attempt": 0, "message": None, "worker_id": None}
    rows = [base | {"stage": Stage.APP, "chunk": chunk, "state": it} for chunk, it in enumerate(TaskState)]
    rows[2] |= {"attempt": 3, "worker_id": "w1"}
    rows[5] |= {"message": "exit code 1"}
    rows.append(base | {"stage": Stage.PARTITION, "chunk": 0, "state": TaskState.COMPLETED})
    hello.context.writer.run(lambda connection: connection.execute(insert(tasks), rows))
    change(hello, job, {"chunks": len(TaskState), "state": JobState.PARTITIONED})
    return job


def test_tasks_are_listed_by_chunk_in_pages(running, hello):
    path = f"/v1/customer/jobs/{running['id']}/tasks"
    answer = hello.get(f"{path}?pagination.limit=2&pagination.offset=2").json()
    assert [it["chunkNumber"] for it in answer["data"]] == [2, 3]
    assert answer["pagination"] == {"total": 7, "offset": 2, "hasPrevious": True, "hasNext": True}
    task = answer["data"][0]
    assert (task["retries"], task["assignedTo"], task["state"]) == (2, "w1", "Received")
    assert task["id"] == task_id(running["id"], Stage.APP, 2)
    assert task["stateTimestamps"] == {"Scheduled": "2026-01-02T03:04:05Z"}
    backwards = hello.get(f"{path}?orderBy=chunkNumber desc&pagination.offset=5").json()["data"]
    assert [it["chunkNumber"] for it in backwards] == [1, 0]
    by_state = hello.get(f"{path}?orderBy=state").json()["data"]
    assert [it["state"] for it in by_state] == sorted(TaskState)
    assert "can't order by" in error_of(hello.get(f"{path}?orderBy=color"))


def test_one_task_is_found_by_its_id(running, hello, bob):
    path = f"/v1/customer/jobs/{running['id']}/tasks"
    failed = hello.get(f"{path}/{task_id(running['id'], Stage.APP, 5)}").json()["task"]
    assert (failed["state"], failed["errorMessage"]) == ("Failed", "exit code 1")
    partition = task_id(running["id"], Stage.PARTITION, 0)
    assert hello.get(f"{path}/{partition}").json()["task"]["state"] == "Completed"
    assert bob.get(f"{path}/{partition}").status_code == 404
    for wrong in (task_id(running["id"], Stage.APP, 99), task_id(new_uuid(), Stage.APP, 1), new_uuid(), "x"):
        assert hello.get(f"{path}/{wrong}").status_code == 404


def test_a_task_tells_where_its_time_went_and_on_which_machine(running, hello):
    fabric = Fabric(hello.context.database)
    worker_id = fabric.worker("box", cores=8.0, gpus=("Tesla T4",))
    spent = Spent(
        claimed_s=0.0012,
        ran_s=1.5,
        tier=Tier.WARM,
        isolation="nested",
        image="sha256:a",
        preloaded=3,
        received_bytes=10,
        sent_bytes=0,
    )
    received = datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC)
    values = {"spent": stored(spent), "worker_id": worker_id, "received_at": received, "exit_code": 0}
    fabric.set_task(running["id"], 4, attempt=1, cpu_s=1.25, peak_memory_mib=64.0, **values)
    path = f"/v1/customer/jobs/{running['id']}/tasks"
    task = hello.get(f"{path}/{task_id(running['id'], Stage.APP, 4)}").json()["task"]
    assert task["claim"] == "warm"
    assert [tuple(it.values()) for it in task["phases"]] == [
        ("queued", 2.0),
        ("pulled", 0.0),
        ("claimed", 0.0012),
        ("fetched", 0.0),
        ("ran", 1.5),
        ("stored", 0.0),
    ]
    assert task["containerStats"] == {"cpuSeconds": 1.25, "peakMemoryMib": 64.0, "preloadedModules": 3}
    assert task["networkStats"] == {"receivedBytes": 10, "sentBytes": 0}
    assert task["deviceInfo"] == {
        "runnerName": "box",
        "runner": "mock",
        "isolation": "nested",
        "image": "sha256:a",
        "host": "h",
        "cores": 8.0,
        "memoryMib": 4096,
        "gpus": ["Tesla T4"],
    }
    attempt = {
        "number": 1,
        "assignedTo": worker_id,
        "receivedAt": "2026-01-02T03:04:07Z",
        "startedAt": None,
        "endedAt": None,
        "reason": "",
        "exitCode": 0,
        "errorMessage": "",
        "deviceInfo": task["deviceInfo"],
    }
    assert task["attempts"] == [attempt]
    assert hello.get(path).json()["data"][4] == task | {"attempts": None}


def test_a_task_tells_of_every_attempt(running, hello):
    fabric, job_id = Fabric(hello.context.database), running["id"]
    worker_id = fabric.worker("box")
    ended = {"job_id": job_id, "stage": Stage.APP, "chunk": 2, "worker_id": worker_id}
    tried = [
        ended | {"attempt": 2, "reason": "timeout", "message": "took 5 s", "exit_code": None},
        ended | {"attempt": 1, "reason": "exit_nonzero", "message": "no", "exit_code": 3},
    ]
    hello.context.writer.run(lambda connection: connection.execute(insert(attempts), tried))
    path = f"/v1/customer/jobs/{job_id}/tasks/{task_id(job_id, Stage.APP, 2)}"
    seen = hello.get(path).json()["task"]["attempts"]
    assert [(it["number"], it["reason"], it["exitCode"], it["errorMessage"]) for it in seen] == [
        (1, "exit_nonzero", 3, "no"),
        (2, "timeout", None, "took 5 s"),
        (3, "", None, ""),
    ]
    assert seen[0]["deviceInfo"]["runnerName"] == "box"
    assert (seen[2]["assignedTo"], seen[2]["deviceInfo"]) == ("w1", {})


def test_tasks_are_found_by_state_by_id_and_by_number(running, hello):
    path = f"/v1/customer/jobs/{running['id']}/tasks"
    wanted = {
        "state=Running": [3],
        "state=Running&taskId=3": [3],
        "state=Running&taskId=4": [],
        f"taskId={task_id(running['id'], Stage.APP, 5)}": [5],
        f"taskId={task_id(running['id'], Stage.PARTITION, 0)}": [],
        f"taskId={task_id(new_uuid(), Stage.APP, 5)}": [],
        "taskId=6": [6],
        "taskId=99999999999999999999": [],
        "taskId=abc": [],
        "state=Running&orderBy=startedAt desc&pagination.offset=1": [],
    }
    for query, chunks in wanted.items():
        answer = hello.get(f"{path}?{query}").json()
        assert [it["chunkNumber"] for it in answer["data"]] == chunks, query
        if "offset" not in query:
            assert answer["pagination"]["total"] == len(chunks)
    assert "state" in error_of(hello.get(f"{path}?state=Sleeping"))


def test_a_task_that_nobody_had_yet_has_no_figures(running, hello):
    path = f"/v1/customer/jobs/{running['id']}/tasks"
    waiting = hello.get(f"{path}/{task_id(running['id'], Stage.APP, 0)}").json()["task"]
    assert (waiting["claim"], waiting["phases"]) == (None, [])
    assert [waiting[name] for name in ("containerStats", "networkStats", "deviceInfo")] == [{}, {}, {}]


def test_a_job_tells_the_means_of_its_tasks_phases(running, hello):
    path = f"/v1/customer/jobs/{running['id']}"
    assert hello.get(path).json()["job"]["phases"] is None
    warm, cold = Spent(claimed_s=0.1, tier=Tier.WARM), Spent(claimed_s=0.5, tier=Tier.COLD)
    sums = Sums().plus([(1.0, warm), (2.0, warm), (3.0, warm), (0.0, cold), (0.0, Spent())])
    change(hello, running, {"spent": sums.model_dump(mode="json")})
    phases = hello.get(path).json()["job"]["phases"]
    assert phases["tasks"] == 5
    assert phases["meanSeconds"] == {
        "queued": 1.2,
        "pulled": 0.0,
        "claimed": 0.16,
        "fetched": 0.0,
        "ran": 0.0,
        "stored": 0.0,
    }
    assert phases["claims"] == {"warm": 0.75, "generic": 0.0, "cold": 0.25}


@pytest.mark.parametrize("name", ["jobsIds", "jobIds", "jobs_ids"])
def test_running_tasks_are_counted_for_own_jobs_only(running, draft, hello, bob, name):
    idle = draft()
    body = {name: [running["id"], idle["id"], new_uuid()]}
    counted = hello.post("/v1/customer/jobs/runningTasks", json=body).json()
    assert counted == {"jobsRunningTasks": {running["id"]: 2, idle["id"]: 0}}
    assert bob.post("/v1/customer/jobs/runningTasks", json=body).json() == {"jobsRunningTasks": {}}
