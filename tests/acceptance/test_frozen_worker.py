"""A worker that stands still loses its leases to another, and what it has done by then no longer counts."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.supervisor import bound_to_parent
from tests.fixtures.live_fabric import LiveFabric, component, until

LEASE_S = 2.0
TASKS = 6
# Long enough that a task that began before the freeze ends after it, when another worker has it already.
APP = """
echo "$CHUNK_NUMBER" >> "$USER_CACHE_DIR/begun"
sleep 3
echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/$CHUNK_NUMBER.txt"
"""


@contextmanager
def second_worker(fabric: LiveFabric) -> Iterator[Path]:
    """Run a worker of its own beside the fabric's; yields its log."""
    raw = Path(f"/proc/{fabric.pid('worker')}/environ").read_bytes()
    env = dict(it.split(b"=", 1) for it in raw.split(b"\0") if b"=" in it)
    env[b"GRIDLOOM_SCRATCH_DIR"] = os.fsencode(fabric.data_dir / "scratch-2")
    log = fabric.data_dir / "worker-2.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "worker"],
            env=env,
            stdout=output,
            stderr=output,
            preexec_fn=bound_to_parent(),  # noqa: PLW1509 (one system call, no lock)
        ) as process,
    ):
        try:
            until(lambda: "worker_ready" in log.read_text(), "the second worker is ready")
            yield log
        finally:
            process.kill()


def begun(fabric: LiveFabric) -> Counter[str]:
    files = (fabric.data_dir / "cache/users").rglob("begun")
    return Counter(line for it in files for line in it.read_text().split())


def test_another_worker_takes_over_and_late_results_are_dropped(start_fabric):
    fabric = start_fabric(env={"GRIDLOOM_LEASE_S": str(LEASE_S), "GRIDLOOM_REHINT_S": "2"})
    app = fabric.push(component("slow", APP))
    replicas = {"partitioner": {"num_replicas": TASKS}}
    job_id = fabric.run({"app": app, "partitioner": "fanout-replica", "params": replicas})
    fabric.await_running(job_id, 2)
    frozen = {it["assignedTo"] for it in fabric.tasks(job_id) if it["state"] == "Running"}
    assert len(frozen) == 1
    held = set(begun(fabric))
    fabric.kill("worker", signal.SIGSTOP)
    frozen_at = time.monotonic()
    with second_worker(fabric):
        until(lambda: all(begun(fabric)[it] == 2 for it in held), "the second worker has taken over", 30)
        sys.stdout.write(f"frozen: taken over after {time.monotonic() - frozen_at:.2f} s\n")
        fabric.kill("worker", signal.SIGCONT)
        fabric.finished(job_id)
        assert fabric.results(job_id) == {f"{it}.txt": b"%d\n" % it for it in range(TASKS)}
        tasks = {str(it["chunkNumber"]): it for it in fabric.tasks(job_id)}
        assert len(tasks) == TASKS
        for chunk in held:
            assert {tasks[chunk]["assignedTo"]}.isdisjoint(frozen)
            assert tasks[chunk]["retries"] == 1
        assert "lease_fenced" in fabric.log_file.read_text() or "lease_lost" in fabric.log_file.read_text()
    # The one that stood still is as good as before.
    job_id = fabric.run({"app": app})
    fabric.finished(job_id)
    assert {it["assignedTo"] for it in fabric.tasks(job_id)} == frozen
