"""SIGKILL of each part at any moment of a job: nothing committed is lost, nothing is committed twice."""

import random
import sys
import time
from collections.abc import Callable

import pytest
import redis

from gridloom.states import JOB_FINAL, JobState
from tests.fixtures.live_fabric import LiveFabric, component, until

SEED = 20_260_731
# No hint waits half a minute before it counts as lost, and a killed worker's tasks are told apart from slow ones.
QUICK = {"GRIDLOOM_REHINT_S": "2"}

PARTITIONER = """
count=$(echo "$PARTITIONER_PARAMS" | tr -dc 0-9)
i=0
while [ $i -lt $count ]; do
    echo "chunk $i" > "$CHUNKS_DIR/data_$i.bin"
    i=$((i + 1))
    [ $((i % 10)) -eq 0 ] && sleep 0.1
done
exit 0
"""
# The ledger tells how often each chunk was begun, which the results must not show.
APP = """
echo "$CHUNK_NUMBER" >> "$USER_CACHE_DIR/begun"
sleep 0.03
echo "$CHUNK_NUMBER $(cat "$TASK_DIR/data.bin")" > "$TASK_RESULTS_DIR/result.txt"
"""
ASSEMBLER = """
echo >> "$USER_CACHE_DIR/assembling"
sleep 1
cat "$RESULTS_DIR"/* > "$OUTPUT_DIR/all.txt"
ls "$RESULTS_DIR" | wc -l > "$OUTPUT_DIR/files.txt"
"""


class Marathon:
    """A job of many small tasks through three scripts of the user's own, without a single retry of its own."""

    def __init__(self, fabric: LiveFabric, tasks: int) -> None:
        self.fabric, self.tasks = fabric, tasks
        body = {
            "app": fabric.push(component("count", APP)),
            "partitioner": fabric.push(component("cut", PARTITIONER, kind="partitioner"), "engine"),
            "assembler": fabric.push(component("join", ASSEMBLER, kind="assembler"), "engine"),
            "params": {"partitioner": {"count": tasks}},
            "config": {"maxTaskRetries": 0},
        }
        self.id = fabric.run(body)

    def ledger(self, name: str) -> list[str]:
        """Return the lines that scripts wrote into the owner's cache."""
        files = (self.fabric.data_dir / "cache/users").rglob(name)
        return [line for it in files for line in it.read_text().splitlines()]

    def await_assembly(self) -> None:
        """Return when the assembler runs."""
        until(lambda: self.ledger("assembling"), "the assembler runs")

    def check(self) -> None:
        """Wait for the end; every task's result must be there once and right, whatever was killed."""
        job = self.fabric.finished(self.id, within_s=120)
        assert job["progress"]["completed"] == job["progress"]["total"] == job["numChunks"] == self.tasks
        output = self.fabric.results(self.id)
        assert output.keys() == {"all.txt", "files.txt"}
        assert int(output["files.txt"]) == self.tasks
        assert sorted(output["all.txt"].decode().splitlines()) == sorted(
            f"{it} chunk {it}" for it in range(self.tasks)
        )
        rows = self.fabric.tasks(self.id)
        assert sorted(row["chunkNumber"] for row in rows) == list(range(self.tasks))
        assert {row["state"] for row in rows} == {"Completed"}
        # Each begin is an attempt, but an attempt may be lost before its script begins.
        begun = self.ledger("begun")
        assert set(begun) == {str(it) for it in range(self.tasks)}
        assert sum(row["retries"] for row in rows) >= len(begun) - self.tasks


def then_goes_on(fabric: LiveFabric, job_id: str, fault: str, strike: Callable[[], object]) -> float:
    """Strike and return how many seconds pass until a further task is done, which is printed as well."""
    strike()
    struck_at = time.monotonic()
    done = fabric.completed(job_id)
    fabric.await_completed(job_id, done + 1)
    took_s = time.monotonic() - struck_at
    sys.stdout.write(f"{fault} at {done} tasks: the next one is done after {took_s:.2f} s\n")
    return took_s


def kill(fabric: LiveFabric, job_id: str, part: str) -> None:
    """SIGKILL a part amid a job."""
    then_goes_on(fabric, job_id, f"SIGKILL of the {part}", lambda: fabric.kill(part))


@pytest.mark.timeout(300)
def test_each_of_300_results_comes_once_while_broker_and_worker_are_killed(start_fabric):
    fabric = start_fabric(env=QUICK)
    job = Marathon(fabric, 300)
    chance = random.Random(SEED)
    sys.stdout.write(f"seed {SEED}\n")
    until(lambda: fabric.job(job.id)["numChunks"] >= 30, "the partitioner runs")
    assert fabric.job(job.id)["state"] == JobState.PARTITIONING
    fabric.kill("worker")
    moments = sorted(chance.sample(range(20, 280), 6))
    for moment, part in zip(moments, ["valkey", "worker"] * 3, strict=True):
        assert fabric.await_completed(job.id, moment)["state"] not in JOB_FINAL
        kill(fabric, job.id, part)
    job.await_assembly()
    fabric.kill("valkey")
    fabric.kill("worker")
    job.check()
    assert len(job.ledger("assembling")) == 2
    assert fabric.logged("was ended by signal 9") >= 9


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


def test_a_kill_of_everything_leaves_no_process_and_the_next_start_goes_on(start_fabric):
    fabric = start_fabric(env=QUICK)
    job = Marathon(fabric, 120)
    for moment in (5, 60):
        fabric.await_completed(job.id, moment)
        gone_s = fabric.kill_all()
        fabric.start()
        sys.stdout.write(f"SIGKILL of all: gone after {gone_s:.2f} s, up after {fabric.started_in_s:.2f} s\n")
    job.await_assembly()
    fabric.kill_all()
    fabric.start()
    job.check()


def test_an_emptied_or_restarted_broker_costs_seconds(start_fabric):
    fabric = start_fabric()
    job = Marathon(fabric, 60)
    fabric.await_completed(job.id, 10)
    with redis.Redis(unix_socket_path=str(fabric.broker_socket)) as broker:
        flushed_s = then_goes_on(fabric, job.id, "FLUSHALL", broker.flushall)
    fabric.await_completed(job.id, 30)
    killed_s = then_goes_on(fabric, job.id, "SIGKILL of the valkey", lambda: fabric.kill("valkey"))
    job.check()
    assert max(flushed_s, killed_s) < 20


def test_kills_lose_nothing_on_postgresql(start_fabric, postgres_url):
    fabric = start_fabric(env=QUICK | {"GRIDLOOM_DATABASE_URL": postgres_url})
    job = Marathon(fabric, 80)
    for moment, part in ((10, "worker"), (25, "valkey"), (40, "scheduler"), (55, "api")):
        fabric.await_completed(job.id, moment)
        kill(fabric, job.id, part)
    fabric.kill_all()
    fabric.start()
    job.await_assembly()
    fabric.kill("worker")
    job.check()
    assert not (fabric.data_dir / "gridloom.db").exists()
