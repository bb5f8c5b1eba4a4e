"""Listeners of a real fabric under load: each change once, across a break, and nobody else's."""

import json
import threading
import time
from collections import Counter
from contextlib import closing, suppress

import httpx
import pytest

from api.tokens import hash_key
from gridloom.ids import new_token
from storage.db import Database
from storage.repositories import accounts, api_keys
from tests.fixtures.live_fabric import component, until

TASKS = 200
LISTENERS = 3


class Listener:
    """Listens on a thread until it is closed, or breaks off behind so many events of tasks."""

    def __init__(self, fabric, token, *, last="", break_after=None, **query):
        self.items, self.last, self.delays_s = [], last, []
        self._break_after, self._over = break_after, threading.Event()
        self._http = httpx.Client(base_url=fabric.url, timeout=30)
        self._ask = {
            "method": "GET",
            "url": "/v1/customer/events",
            "params": {"access_token": token, **query},
            "headers": {"Last-Event-ID": last, "Accept": "text/event-stream"},
        }
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        with suppress(httpx.TransportError), self._http.stream(**self._ask) as answer:
            assert answer.status_code == 200, answer.read()
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    self.last = line.removeprefix("id: ")
                if line.startswith("data: "):
                    self.items.append(json.loads(line.removeprefix("data: "))["result"])
                    if len(self.tasks()) == self._break_after:
                        break
        self._over.set()

    def tasks(self):
        return [it["data"] for it in self.items if it["event"] == "task.updated"]

    def job_states(self, job_id):
        return [it["data"]["state"] for it in self.items if it["data"].get("id") == job_id]

    def heard(self, check, what):
        until(lambda: check(self), what)
        return self

    def wait(self):
        assert self._over.wait(30)
        self._thread.join(10)

    def close(self):
        self._http.close()


@pytest.fixture(scope="module")
def token(fabric):
    return _token(fabric, fabric.api_key)


@pytest.fixture(scope="module")
def stranger(fabric):
    """Return the token of another account."""
    api_key = new_token("glk")
    with (
        closing(Database(f"sqlite:///{fabric.data_dir / 'gridloom.db'}")) as database,
        database.write() as it,
    ):
        api_keys.add(it, accounts.create_account(it, "stranger"), name="k", key_hash=hash_key(api_key))
    return _token(fabric, api_key)


def _token(fabric, api_key):
    return httpx.post(f"{fabric.url}/v1/auth/access_token", json={"apiKey": api_key}).json()["token"]


def run(fabric):
    app = fabric.push(component(f"quick{time.monotonic_ns()}", "true\n"))
    parts = {"app": app, "partitioner": "fanout-replica"}
    return fabric.run(parts | {"params": {"partitioner": {"num_replicas": TASKS}}})


def connected(it):
    return bool(it.items)


def test_every_task_is_heard_complete_once_across_a_break(fabric, token, stranger):
    other = Listener(fabric, stranger).heard(connected, "the stranger listens")
    whole = [Listener(fabric, token).heard(connected, "all listen") for _ in range(LISTENERS - 1)]
    broken = Listener(fabric, token, break_after=TASKS // 2).heard(connected, "all listen")
    job_id = run(fabric)
    broken.wait()
    fabric.finished(job_id)
    rest = Listener(fabric, token, last=broken.last)
    for it in (*whole, rest):
        it.heard(lambda it: "JOB_STATE_COMPLETE" in it.job_states(job_id), "the end is heard")
    for tasks in (whole[0].tasks(), whole[1].tasks(), broken.tasks() + rest.tasks()):
        mine = [it for it in tasks if it["jobId"] == job_id and it["stage"] == "app"]
        done = Counter(it["chunkNumber"] for it in mine if it["state"] == "Completed")
        assert done == Counter(range(TASKS))
    assert {it["event"] for it in other.items} == {"ping"}
    for it in (other, *whole, broken, rest):
        it.close()


def test_a_job_alone_can_be_listened_to_and_nobody_elses(fabric, token, stranger):
    job_id = fabric.run({"app": fabric.push(component("alone", "true\n"))})
    fabric.finished(job_id)
    query = {"access_token": stranger, "jobId": job_id}
    assert httpx.get(f"{fabric.url}/v1/customer/events", params=query).status_code == 404
    mine = Listener(fabric, token, jobId=job_id, tasks="false").heard(connected, "it listens")
    fabric.client.delete_job(job_id)
    mine.heard(lambda it: it.items[-1]["event"] == "job.deleted", "the end is heard")
    assert [it["event"] for it in mine.items] == ["ping", "job.deleted"]
    mine.close()


@pytest.mark.parametrize("query", [{}, {"access_token": "nonsense"}])
def test_without_a_token_nothing_is_heard(fabric, query):
    assert httpx.get(f"{fabric.url}/v1/customer/events", params=query).status_code == 401


def test_lines_of_json_are_told_to_who_asks_for_json(fabric, token):
    headers = {"Authorization": token, "Accept": "application/json"}
    with httpx.stream("GET", f"{fabric.url}/v1/computing/events", headers=headers) as answer:
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert json.loads(next(answer.iter_lines()))["result"]["event"] == "ping"


def test_streams_outlive_the_broker(fabric, token):
    ear = Listener(fabric, token).heard(connected, "it listens")
    fabric.kill("valkey")
    job_id = fabric.run({"app": fabric.push(component("away", "true\n"))})
    fabric.finished(job_id)
    ear.heard(lambda it: "JOB_STATE_COMPLETE" in it.job_states(job_id), "the end is heard")
    ear.close()


def test_a_stop_does_not_wait_for_listeners(start_fabric):
    fabric = start_fabric(runner="mock")
    ears = [Listener(fabric, _token(fabric, fabric.api_key)) for _ in range(5)]
    for ear in ears:
        ear.heard(connected, "all listen")
    assert fabric.stop() < 4
    for ear in ears:
        ear.wait()
        ear.close()
