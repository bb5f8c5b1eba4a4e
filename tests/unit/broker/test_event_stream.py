"""Changes travel in order; what can't be sent is marked as lost, and nobody waits for a broker."""

import asyncio
import signal
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broker import event_stream
from broker.event_stream import EventPublisher, EventReader, Position
from broker.redis_link import redis_client
from gridloom.changes import JobChange, TaskMoves
from gridloom.errors import Unavailable
from gridloom.states import Stage, TaskState
from tests.fixtures.valkey import running_valkey

START = Position(0, 0)
MOVES = TaskMoves(stage=Stage.APP, state=TaskState.COMPLETED, tasks=((0, 1), (7, 2)))


def change(job_id, **members):
    return JobChange(job_id=job_id, at=1.25, **members)


def ask(url, work):
    async def asked():
        reader = EventReader(url)
        try:
            return await work(reader)
        finally:
            await reader.close()

    return asyncio.run(asked())


def everything(url):
    return ask(url, lambda reader: reader.after(START, limit=10_000, wait_s=0.01))


def test_changes_arrive_whole_and_in_order(valkey):
    sent = [change("a", shown=True, moves=(MOVES,)), change("b", deleted=True)]
    with closing(EventPublisher(valkey)) as publisher:
        publisher.publish(sent)
    entries = everything(valkey)
    assert [it.change for it in entries] == sent
    assert ask(valkey, lambda reader: reader.end()) == entries[-1].position
    first = entries[0].position
    assert ask(valkey, lambda reader: reader.between(first, entries[-1].position, limit=1)) == entries[:1]
    assert ask(valkey, lambda reader: reader.after(first, limit=9, wait_s=1)) == entries[1:]


def test_an_empty_stream_ends_at_its_start_and_gives_nothing(valkey):
    assert ask(valkey, lambda reader: reader.end()) == START
    assert everything(valkey) == []


def test_the_stream_is_bounded(valkey, monkeypatch):
    monkeypatch.setattr(event_stream, "_ENTRIES_MAX", 100)
    with closing(EventPublisher(valkey)) as publisher:
        for number in range(1000):
            publisher.publish([change(str(number))])
    entries = everything(valkey)
    assert 100 <= len(entries) <= 300
    assert entries[-1].change.job_id == "999"


def test_publishing_never_waits_and_what_was_given_up_is_marked(monkeypatch):
    monkeypatch.setattr(event_stream, "_WAITING_MAX", 10)
    monkeypatch.setattr(event_stream, "_RETRY_S", 0.05)
    with tempfile.TemporaryDirectory(prefix="gl-valkey-") as name, running_valkey(Path(name)) as server:
        url = f"redis+socket://{name}/v.sock?virtual_host=0"
        server.send_signal(signal.SIGSTOP)
        with closing(EventPublisher(url)) as publisher:
            started = time.monotonic()
            for number in range(1000):
                publisher.publish([change(str(number))])
            assert time.monotonic() - started < 1
            server.send_signal(signal.SIGCONT)
        found = [it.change.job_id if it.change else None for it in everything(url)]
        assert None in found
        assert found[-10:] == [str(number) for number in range(990, 1000)]


def test_a_broker_that_is_away_is_logged_once_and_heals_with_a_mark(monkeypatch):
    monkeypatch.setattr(event_stream, "_RETRY_S", 0.05)
    with tempfile.TemporaryDirectory(prefix="gl-valkey-") as name, capture_logs() as logs:
        url = f"redis+socket://{name}/v.sock?virtual_host=0"
        with closing(EventPublisher(url)) as publisher:
            publisher.publish([change("lost")])
            deadline = time.monotonic() + 10
            while not logs and time.monotonic() < deadline:
                time.sleep(0.01)
            with running_valkey(Path(name)):
                while not (found := everything(url)) and time.monotonic() < deadline:
                    time.sleep(0.01)
                publisher.publish([change("told")])
                while len(found) < 2 and time.monotonic() < deadline:
                    found = everything(url)
    assert [it.change and it.change.job_id for it in found] == [None, "told"]
    assert [it["event"] for it in logs] == ["events_not_sent"]


def test_readers_say_that_the_broker_is_away(tmp_path):
    with pytest.raises(Unavailable, match="broker"):
        ask(f"redis+socket://{tmp_path}/none?virtual_host=0", lambda reader: reader.end())


def test_entries_of_another_version_count_as_lost(valkey):
    with closing(redis_client(valkey)) as client:
        client.xadd("gridloom:events", {"c": '{"new": 1}'})
    with capture_logs() as logs:
        assert [it.change for it in everything(valkey)] == [None]
    assert logs[0]["event"] == "event_unreadable"


@pytest.mark.parametrize("text", ["", "5", "5-", "-5", "5-6-7", "a-b", "\u0665-\u0666", "1" * 30 + "-1"])
def test_other_texts_are_no_positions(text):
    assert Position.parse(text) is None


def test_positions_are_read_as_they_are_written_and_compare():
    assert str(Position.parse("12-3")) == "12-3"
    assert Position(2, 0) > Position(1, 99)
