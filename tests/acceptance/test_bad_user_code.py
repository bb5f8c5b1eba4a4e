"""Components that misbehave: each gets an end with a reason, leaves no process, and the fabric goes on."""

import json
import os
import subprocess
import sys

import psutil
import pytest

from gridloom.states import JobState
from tests.fixtures.live_fabric import ROOT, LiveFabric, component, until

FABRIC_ENV = {"GRIDLOOM_MAX_CHUNKS": "20", "GRIDLOOM_MAX_RESULT_FILES": "50", "GRIDLOOM_MAX_RESULT_MIB": "1"}


def failed(fabric: LiveFabric, body: dict) -> dict:
    """Run a job and return it once it has failed."""
    job = fabric.ended(fabric.run(body))
    assert job["state"] == JobState.FAILED
    sys.stdout.write(f"errorMessage: {job['errorMessage']}\n")
    return job


def app_fails(fabric: LiveFabric, script: str, **body: object) -> dict:
    return failed(fabric, {"app": fabric.push(component("bad", script)), **body})


def gridloom(fabric: LiveFabric, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {
        "GRIDLOOM_URL": fabric.url,
        "GRIDLOOM_API_KEY": fabric.api_key,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-P", "-m", "cli.main", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_a_hanging_script_is_killed_at_its_timeout_and_tried_as_often_as_allowed(fabric):
    script = 'trap "" TERM INT\nsleep 600 & wait; sleep 600\n'
    job = app_fails(fabric, script, config={"taskTimeout": 1, "maxTaskRetries": 1})
    assert "task 0" in job["errorMessage"]
    assert "1 s" in job["errorMessage"]
    (task,) = fabric.tasks(job["id"])
    assert (task["state"], task["retries"]) == ("Failed", 1)
    assert not [it for it in fabric.leftovers() if "sleep 600" in it]


def test_a_job_ends_at_its_timeout(fabric):
    job = app_fails(fabric, "sleep 600\n", config={"jobTimeout": 2})
    assert "jobTimeout" in job["errorMessage"]
    until(lambda: not [it for it in fabric.leftovers() if "sleep 600" in it], "the script is gone", 5)


def test_a_failing_script_fails_its_job_with_task_and_code_and_its_lines_stay_readable(fabric):
    job = app_fails(fabric, 'echo "to stdout"\necho "to stderr" >&2\nexit 7\n')
    assert "task 0" in job["errorMessage"]
    assert "7" in job["errorMessage"]
    (task,) = fabric.tasks(job["id"])
    assert task["exitCode"] == 7
    printed = gridloom(fabric, "job", "logs", job["id"], "--task", "0", "--json")
    assert printed.returncode == 0, printed.stderr
    lines = [json.loads(it)["log"] for it in printed.stdout.splitlines()]
    assert {"to stdout", "to stderr"} <= set(lines)
    got = gridloom(fabric, "job", "results", job["id"])
    assert got.returncode == 1
    assert len(got.stderr.splitlines()) == 1
    assert job["errorMessage"] in got.stderr


def test_a_retry_that_succeeds_leaves_the_job_complete(fabric):
    script = """
        mark="$USER_CACHE_DIR/tried"
        [ -e "$mark" ] || { touch "$mark"; exit 3; }
        echo ok > "$TASK_RESULTS_DIR/out.txt"
    """
    job_id = fabric.run({"app": fabric.push(component("flaky", script)), "config": {"maxTaskRetries": "1"}})
    fabric.finished(job_id)
    assert fabric.results(job_id) == {"out.txt": b"ok\n"}
    assert [it["retries"] for it in fabric.tasks(job_id)] == [1]


def test_daemons_that_a_script_leaves_are_killed(fabric):
    script = """
        (setsid sh -c 'trap "" HUP TERM; sleep 600' & echo $! > "$TASK_RESULTS_DIR/pids.txt") </dev/null
        (sleep 600 & echo $! >> "$TASK_RESULTS_DIR/pids.txt")
    """
    job_id = fabric.run({"app": fabric.push(component("daemons", script))})
    fabric.finished(job_id)
    pids = [int(it) for it in fabric.results(job_id)["pids.txt"].split()]
    assert len(pids) == 2
    assert not any(psutil.pid_exists(it) for it in pids)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 0", "the partitioner wrote no chunk"),
        ('touch "$CHUNKS_DIR/data_0.bin" "$CHUNKS_DIR/data_2.bin"', "wrote no data_1.bin but data_2.bin"),
        ('touch "$CHUNKS_DIR/data_0.bin" "$CHUNKS_DIR/notes.txt"', "notes.txt"),
        ('for i in $(seq 0 30); do echo > "$CHUNKS_DIR/data_$i.bin"; done; sleep 600', "more than 20 chunks"),
        ('touch "$CHUNKS_DIR/data_10000000.bin"', "more than 20 chunks"),
        ('ln -s /etc/hostname "$CHUNKS_DIR/data_0.bin"', "data_0.bin"),
        ("exit 9", "9"),
    ],
)
def test_a_partitioner_that_breaks_the_rules_fails_its_job(fabric, script, reason):
    partitioner = fabric.push(component("bad-cut", script, kind="partitioner"), "engine")
    app = fabric.push(component("fine", "true\n"))
    job = failed(fabric, {"app": app, "partitioner": partitioner})
    assert "partition" in job["errorMessage"]
    assert reason in job["errorMessage"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('ln -s /etc/passwd "$TASK_RESULTS_DIR/x"', "a symbolic link: x"),
        ('mkfifo "$TASK_RESULTS_DIR/x"', "a named pipe: x"),
        ('ln "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/x"', "a hard link: x"),
        ('mkdir "$TASK_RESULTS_DIR/d" && ln -s ../../.. "$TASK_RESULTS_DIR/d/x"', "a symbolic link: d/x"),
        ('for i in $(seq 60); do echo > "$TASK_RESULTS_DIR/$i"; done', "more than 50 files"),
        ('for i in 1 2 3; do truncate -s 500K "$TASK_RESULTS_DIR/$i"; done', "more than 1048576 bytes"),
        ('truncate -s 1T "$TASK_RESULTS_DIR/x"', "File size limit exceeded"),
        ('touch "$TASK_RESULTS_DIR/$(printf "a\\nb")"', "not plain UTF-8"),
    ],
)
def test_results_that_break_the_rules_fail_the_job(fabric, script, reason):
    job = app_fails(fabric, script)
    assert "task 0" in job["errorMessage"]
    assert reason in job["errorMessage"]


def test_a_failing_assembler_fails_its_job(fabric):
    assembler = fabric.push(component("bad-join", "exit 5", kind="assembler"), "engine")
    job = failed(fabric, {"app": fabric.push(component("fine", "true\n")), "assembler": assembler})
    assert "assemble" in job["errorMessage"]
    assert "5" in job["errorMessage"]


def test_endless_output_is_cut_and_the_task_succeeds(fabric):
    script = 'head -c 100000000 /dev/zero | tr "\\0" x\necho ok > "$TASK_RESULTS_DIR/out.txt"\n'
    job_id = fabric.run({"app": fabric.push(component("chatty", script))})
    fabric.finished(job_id)
    size = sum(
        it.stat().st_size for it in (fabric.data_dir / "objects/jobs" / job_id).rglob("*") if it.is_file()
    )
    assert size < 4 * 1024 * 1024


@pytest.mark.timeout(180)
def test_a_chunk_that_kills_its_worker_three_times_is_poison(start_fabric):
    fabric = start_fabric(env={"GRIDLOOM_REHINT_S": "2"})
    script = """
        if [ "$CHUNK_NUMBER" = 1 ]; then
            sleep 1.5
            agent=$PPID
            kill -9 "$(cut -d' ' -f4 /proc/$agent/stat)"
            sleep 60
        fi
        echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/$CHUNK_NUMBER.txt"
    """
    app = fabric.push(component("assassin", script))
    replicas = {"partitioner": {"num_replicas": 3}}
    job_id = fabric.run({"app": app, "partitioner": "fanout-replica", "params": replicas})
    job = fabric.ended(job_id, within_s=120)
    assert job["state"] == JobState.FAILED
    assert "task 1" in job["errorMessage"]
    assert "poison" in job["errorMessage"] or "3 " in job["errorMessage"]
    tasks = {it["chunkNumber"]: it for it in fabric.tasks(job_id)}
    assert tasks[1]["state"] == "Failed"
    assert [tasks[it]["state"] for it in (0, 2)] == ["Completed", "Completed"]
    # One more when the first kill came before the worker could tell that the chunk runs.
    assert fabric.logged("worker was ended by signal 9") in (3, 4)
