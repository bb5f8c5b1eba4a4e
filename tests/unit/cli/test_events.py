"""Tests of `gridloom events`."""

import json

from cli.events import in_words
from gridloom.client import Event

JOB = {"id": "j", "name": "Loud", "state": "JOB_STATE_PARTITIONED"}
JOB_EVENT = {"event": "job.updated", "id": "5-0", "data": JOB}
TASK = {"id": "t", "jobId": "j", "chunkNumber": 3, "stage": "app", "state": "Running"}


def test_a_job_and_a_task_are_told_in_one_line_each():
    stamped = JOB | {"stateTimestamps": {"JOB_STATE_PARTITIONED": "2026-01-02T03:04:05.678Z"}}
    assert in_words(Event(JOB_EVENT | {"data": stamped})) == (
        "2026-01-02T03:04:05  job.updated  j  Loud  Running tasks"
    )
    shown = in_words(Event({"event": "task.updated", "data": TASK}))
    assert shown.endswith("  task.updated  j  app 3  Running")


def test_control_characters_do_not_reach_the_terminal():
    assert "\x1b" not in in_words(Event(JOB_EVENT | {"data": JOB | {"name": "a\x1b[2J\nb"}}))


def test_events_are_lines_of_json(fabric, gridloom):
    item = f"event: job.updated\nid: 5-0\ndata: {json.dumps({'result': JOB_EVENT})}\n\n"
    fabric.streams["/v1/customer/events"] = f"{item}{item}event: end\ndata: {{}}\n\n".encode()
    code, out, _ = gridloom("events", "--job", "j", "--no-tasks", "--after", "4-0", "--json")
    assert code == 0
    assert [json.loads(line)["data"]["name"] for line in out.splitlines()] == ["Loud", "Loud"]
    assert fabric.queries[-1] == "jobId=j&tasks=false"
    assert "job.updated  j  Loud" in gridloom("events")[1]
