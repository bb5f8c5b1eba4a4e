"""A job's log is followed while it runs and its worker is killed: what was shipped is seen, once and in order."""

import json
import re
import threading
from collections import defaultdict

import httpx
import pytest

from gridloom.states import JobState
from tests.fixtures.live_fabric import component, until

pytestmark = pytest.mark.timeout(180)

TASKS, LINES = 4, 40
SCRIPT = f"""
i=0
while [ $i -lt {LINES} ]; do
    echo "INFO line $i of attempt $TASK_NAME $$"
    i=$((i + 1))
    sleep 0.1
done
echo done >"$TASK_RESULTS_DIR/done.txt"
"""


class Follower(threading.Thread):
    """Reads a stream of log lines, and goes on where it broke off whenever it breaks."""

    def __init__(self, fabric, job_id):
        super().__init__(daemon=True)
        self._url = f"{fabric.url}/v1/customer/jobs/{job_id}/logs/stream"
        key = {"apiKey": fabric.api_key}
        self._token = httpx.post(f"{fabric.url}/v1/auth/access_token", json=key).json()["token"]
        self.lines, self.last_id, self.state = [], "", ""

    def run(self):
        while not self.state:
            try:
                self._follow()
            except httpx.HTTPError:
                continue

    def _follow(self):
        headers = {"Last-Event-ID": self.last_id}
        query = {"access_token": self._token}
        with httpx.stream("GET", self._url, headers=headers, params=query, timeout=30) as answer:
            name = ""
            for text in answer.iter_lines():
                member, _, value = text.partition(": ")
                if member == "id":
                    self.last_id = value
                elif member == "event":
                    name = value
                elif member == "data" and name == "log":
                    self.lines.append(json.loads(value))
                elif member == "data" and name == "end":
                    self.state = json.loads(value)["state"]


def test_a_follower_sees_each_shipped_line_once_though_worker_and_control_plane_are_killed(start_fabric):
    fabric = start_fabric(slots=2)
    tag = fabric.push(component("talker", SCRIPT))
    partitioner = {"partitioner": "replicate-fanout", "params": {"partitioner": {"num_replicas": TASKS}}}
    job_id = fabric.run({"app": tag} | partitioner)
    follower = Follower(fabric, job_id)
    follower.start()
    until(lambda: len(follower.lines) >= 10, "lines arrive while their task runs")
    assert fabric.job(job_id)["state"] != JobState.COMPLETE
    fabric.kill("worker")
    until(lambda: follower.lines and fabric.completed(job_id) >= 1, "tasks run again")
    fabric.kill("api")
    fabric.finished(job_id)
    follower.join(30)
    assert follower.state == JobState.COMPLETE

    seen = defaultdict(list)
    for it in follower.lines:
        if match := re.match(r"INFO line (\d+) of", it["log"]):
            seen[it["chunk"], it["attempt"]].append(int(match[1]))
            assert it["level"] == "INFO"
    attempts = defaultdict(list)
    for (chunk, attempt), numbers in seen.items():
        assert numbers == list(range(len(numbers))), "no line twice, none out of order"
        attempts[chunk].append((attempt, len(numbers)))
    assert sorted(attempts) == list(range(TASKS))
    assert all(max(found)[1] == LINES for found in attempts.values())

    stored = fabric.call("POST", "/v1/customer/logs", body={"jobId": job_id})
    assert stored["totalLines"] == len(follower.lines)
