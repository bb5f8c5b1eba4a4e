"""Tests of events and logs; those that listen with both clients."""

from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.client.calls.events import EventReader
from gridloom.errors import ClientError
from tests.unit.gridloom.client.calls.test_files import Broken

STREAM = (
    b'retry: 1500\n\n: note\n\nevent: job.updated\nid: 1\ndata: {"result": {"event": "job.updated", '
    b'"data": {"id": "j"}}}\n\nevent: ping\ndata: {}\n\nid: 2\ndata: {"a":\ndata: 1}\r\n\r\n'
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_a_stream_may_come_in_any_pieces(cuts):
    reader, found, places = EventReader(), [], [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(places):
        found += reader.feed(STREAM[start:end])
    assert [(it.id, it.event, it.data) for it in found] == [
        ("1", "job.updated", {"id": "j"}),
        ("2", "", {"a": 1}),
    ]
    assert (reader.last_id, reader.retry_s) == ("2", 1.5)


def test_a_refusal_in_the_stream_is_an_error():
    with pytest.raises(ClientError, match="signed out"):
        list(EventReader().feed(b'data: {"error": {"code": 16, "message": "signed out"}}\n\n'))


def event(number, name="task.updated"):
    return (
        f'event: {name}\nid: {number}\ndata: {{"result": {{"event": "{name}", "data": {{}}}}}}\n\n'.encode()
    )


def test_events_go_on_after_the_last_one_seen(script, connect, no_waiting):
    script.answers = [
        httpx.Response(200, stream=Broken(event(1), event(2), b"event: half")),
        (200, event(3)),
        (200, event(4)),
    ]
    found = connect().take("events", 4, job_ids=["j"], after_id="0")
    assert [it.id for it in found] == ["1", "2", "3", "4"]
    assert [it.headers["Last-Event-ID"] for it in script.seen[1:]] == ["0", "2", "3"]
    assert script.seen[1].url.params["jobId"] == "j"
    assert script.seen[1].headers["Authorization"] == "first"


def test_a_refused_listener_is_told(script, connect):
    script.answers = [(429, {"message": "too many listeners"})]
    with pytest.raises(ClientError, match="too many listeners"):
        connect(patience_s=0).take("events", 1)


def test_followed_logs_end_with_the_job(script, connect):
    line = b'id: 1\nevent: log\ndata: {"stage": "app", "chunk": 3, "log": "a", "timestamp": "2026-01-01T00:00:00Z"}\n\n'
    script.answers = [(200, line + b"event: end\ndata: {}\n\n")]
    [found] = connect().do("log_lines", "j", follow=True, search="a")
    assert (found.stage, found.task, found.log) == ("app", 3, "a")
    assert script.seen[1].url.params["search"] == "a"


def test_logs_are_read_page_by_page(script, connect):
    entry = {"timestamp": "2026-01-01T00:00:00Z", "log": "x"}
    script.answers = [
        {"partitioner": [entry], "nextId": "1"},
        {"nextId": "2", "complete": False},
        {"assembler": [entry], "nextId": "3"},
        {"nextId": "3"},
    ]
    found = connect().do("log_lines", "j")
    assert [it.stage for it in found] == ["partition", "assemble"]
    assert [it[2]["afterId"] for it in script.calls] == ["", "1", "2", "3"]


def test_logs_are_downloaded_into_a_file(script, connect, tmp_path):
    script.answers = [(200, b"line\n")]
    assert connect().do("download_logs", "j", tmp_path / "job.log").read_bytes() == b"line\n"
    assert script.seen[1].headers["Authorization"] == "first"
