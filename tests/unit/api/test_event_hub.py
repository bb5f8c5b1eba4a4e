"""Listeners hear what is theirs, each event once, whatever breaks; the stream is a list here, the database real."""

import asyncio
import json
import re
from contextlib import aclosing, asynccontextmanager, closing
from itertools import pairwise

import pytest

from api import event_hub, event_listener
from api.event_hub import EventHub
from api.event_items import Form, View
from broker.event_stream import Entry, Position
from gridloom.errors import Unauthorized, Unavailable
from gridloom.states import Stage
from scheduler import ending
from storage.db import Database
from storage.repositories import jobs
from storage.tables import metadata
from tests.fixtures.fabric import Fabric, result

JOB, GONE, TASK, PING = "job.updated", "job.deleted", "task.updated", "ping"


class FakeStream:
    """Keeps the last `keep` entries; can be away."""

    def __init__(self):
        self.entries, self.keep, self.number, self.away = [], 10_000, 0, False

    def publish(self, changes):
        for change in changes:
            self.add(change)

    def add(self, change):
        self.number += 1
        if not self.away:
            self.entries.append(Entry(position=Position(1, self.number), change=change))
            del self.entries[: -self.keep]

    async def end(self):
        self._check()
        return self.entries[-1].position if self.entries else Position(0, 0)

    async def after(self, position, *, limit, wait_s):
        for _ in range(20):
            self._check()
            if found := [it for it in self.entries if it.position > position]:
                return found[:limit]
            await asyncio.sleep(0.005)
        return []

    async def between(self, first, last, *, limit):
        self._check()
        return [it for it in self.entries if first <= it.position <= last][:limit]

    async def close(self):
        pass

    def _check(self):
        if self.away:
            raise Unavailable("away")


class FakeGate:
    def __init__(self):
        self.refused = set()

    def remembered(self, _token):
        return None

    def caller(self, token):
        if token in self.refused:
            raise Unauthorized("no")


class World:
    def __init__(self, fabric, stream, gate):
        self.fabric, self.stream, self.gate = fabric, stream, gate
        self.hub = EventHub(fabric.database, stream, gate)

    @asynccontextmanager
    async def listen(self, owner="ada", token="t", last="", **view):
        view = View(owner_id=self.fabric.owner(owner), **view)
        async with aclosing(self.hub.listen(view, token, last)) as chunks:
            yield Ear(chunks)


class Ear:
    def __init__(self, chunks):
        self._chunks, self.raw, self.items = chunks, "", []

    async def hear(self, until, within_s=5):
        """Return the items up to the first of which `until` is true."""
        async with asyncio.timeout(within_s):
            while True:
                for number, item in enumerate(self.items):
                    if until(item):
                        heard = self.items[: number + 1]
                        del self.items[: number + 1]
                        return heard
                self._take(await anext(self._chunks))

    async def end(self):
        """Return all items up to the end of the stream."""
        async with asyncio.timeout(5):
            async for chunk in self._chunks:
                self._take(chunk)
        return self.items

    def _take(self, chunk):
        text = chunk.decode()
        self.raw += text
        lines = text.splitlines() if text.startswith("{") else re.findall("^data: (.*)$", text, re.MULTILINE)
        self.items += [json.loads(it) for it in lines]


def name(item):
    return item.get("result", {}).get("event")


def is_(wanted, **data):
    return lambda it: name(it) == wanted and data.items() <= it["result"]["data"].items()


@pytest.fixture
def world(tmp_path, monkeypatch):
    for constant in ("_PACE_S", "_RETRY_S", "_TOKENS_S"):
        monkeypatch.setattr(event_hub, constant, 0.01)
    stream = FakeStream()
    with closing(Database(f"sqlite:///{tmp_path / 'gridloom.db'}", stream.publish)) as database:
        metadata.create_all(database.engine)
        yield World(Fabric(database), stream, FakeGate())


def play(world, scenario):
    async def played():
        async with world.hub.running():
            await scenario()

    asyncio.run(played())


def test_a_fresh_listener_hears_a_ping_and_then_what_happens(world):
    async def scenario():
        before = world.fabric.draft()
        async with world.listen() as ear:
            first = await ear.hear(is_(PING))
            assert len(first) == 1
            assert first[0]["result"]["id"] == "1-1"
            job_id = world.fabric.draft(name="news")
            heard = await ear.hear(is_(JOB))
            data = heard[-1]["result"]["data"]
            assert (data["id"], data["name"], data["state"]) == (job_id, "news", "JOB_STATE_NEW")
            assert data["@type"].endswith("customer.Job")
            assert ear.raw.startswith("retry: 1000\n\nevent: ping\nid: 1-1\ndata: {")
            world.fabric.write(jobs.remove, world.fabric.owner(), before)
            assert (await ear.hear(is_(GONE)))[-1]["result"]["data"]["id"] == before

    play(world, scenario)


def test_tasks_are_told_with_state_attempt_and_time(world):
    async def scenario():
        job_id, worker = world.fabric.run_chunks(2), world.fabric.worker()
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            world.fabric.claim(worker, job_id, Stage.APP, 1)
            world.fabric.commit(worker, job_id, Stage.APP, result(1, 1))
            heard = await ear.hear(is_(JOB))
        data = heard[1]["result"]["data"]
        assert [it["result"]["data"]["state"] for it in heard[:2]] == ["Received", "Completed"]
        assert (data["jobId"], data["chunkNumber"], data["stage"], data["attempt"]) == (job_id, 1, "app", 1)
        assert data["stateTimestamps"].keys() == {"Completed"}
        assert heard[2]["result"]["data"]["progress"]["completed"] == 1

    play(world, scenario)


def test_others_hear_nothing_and_filters_leave_out(world):
    async def scenario():
        job_id = world.fabric.run_chunks(1)
        async with (
            world.listen("bob") as bob,
            world.listen(tasks=False) as coarse,
            world.listen(job_ids=frozenset([job_id]), form=Form.LINES) as one,
            world.listen() as ear,
        ):
            for it in (bob, coarse, one, ear):
                await it.hear(is_(PING))
            other = world.fabric.draft()
            world.fabric.claim(world.fabric.worker(), job_id, Stage.APP, 0)
            last = world.fabric.draft()
            await ear.hear(is_(JOB, id=last))
            assert {it["result"]["data"]["id"] for it in await coarse.hear(is_(JOB, id=last))} >= {other}
            assert TASK not in coarse.raw
            await one.hear(is_(TASK))
            assert other not in one.raw
            assert "data:" not in one.raw
            world.hub.stop()
            assert await bob.end() == []

    play(world, scenario)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_listener_that_comes_back_hears_each_change_of_a_task_once(world, cut):
    async def scenario():
        job_id, worker = world.fabric.run_chunks(6), world.fabric.worker()
        seen = []
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            for chunks in ((0, 1, 2), (3,), (4, 5)):
                world.fabric.claim(worker, job_id, Stage.APP, *chunks)
                world.fabric.commit(worker, job_id, Stage.APP, *(result(it, 1) for it in chunks))
            for _ in range(cut):
                seen += await ear.hear(lambda it: True)
        world.fabric.write(ending.abort, job_id, world.fabric.settings)
        async with world.listen(last=seen[-1]["result"]["id"]) as ear:
            seen += await ear.hear(is_(PING, resync=False))
        told = [it["result"]["data"] for it in seen if name(it) == TASK]
        assert [(it["chunkNumber"], it["state"]) for it in told] == [
            (chunk, state)
            for chunks in ((0, 1, 2), (3,), (4, 5))
            for state in ("Received", "Completed")
            for chunk in chunks
        ]
        states = [it["result"]["data"]["state"] for it in seen if name(it) == JOB]
        assert states[-1] == "JOB_STATE_ABORTED"

    play(world, scenario)


@pytest.mark.parametrize("last", ["1-1", "0-0", "9-9", "nonsense"])
def test_who_comes_back_too_late_hears_how_jobs_are_now(world, last):
    async def scenario():
        world.stream.keep = 5
        job_id = world.fabric.run_chunks(1)
        world.fabric.draft("bob")
        world.fabric.draft(name="new")
        async with world.listen(last=last) as ear:
            heard = await ear.hear(is_(PING, resync=True))
        assert [it["result"]["data"]["name"] for it in heard[:-1]] == ["job", "new"]
        assert heard[0]["result"]["data"]["id"] == job_id
        assert heard[-1]["result"]["id"] == str(world.stream.entries[-1].position)

    play(world, scenario)


def test_without_the_broker_jobs_are_looked_up_and_told_when_they_change(world):
    async def scenario():
        job_id, worker = world.fabric.run_chunks(2), world.fabric.worker()
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            world.stream.away = True
            await asyncio.sleep(0.05)
            world.fabric.claim(worker, job_id, Stage.APP, 0)
            world.fabric.commit(worker, job_id, Stage.APP, result(0, 1))
            heard = await ear.hear(is_(JOB))
            assert heard[-1]["result"]["data"]["progress"]["completed"] == 1
            assert "id" not in heard[-1]["result"]
            world.fabric.write(ending.abort, job_id, world.fabric.settings)
            assert (await ear.hear(is_(JOB)))[-1]["result"]["data"]["state"] == "JOB_STATE_ABORTED"
            async with world.listen(last="1-1") as late:
                assert (await late.hear(is_(PING, resync=True)))[0]["result"]["data"]["id"] == job_id
            world.stream.away = False
            await ear.hear(is_(PING, resync=True))
            again = world.fabric.draft()
            await ear.hear(is_(JOB, id=again))

    play(world, scenario)


def test_what_the_stream_lost_is_found(world, monkeypatch):
    async def scenario():
        job_id = world.fabric.run_chunks(1)
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            await asyncio.sleep(0.05)
            world.fabric.database._publish = lambda _changes: None
            world.fabric.write(ending.abort, job_id, world.fabric.settings)
            world.stream.add(None)
            heard = await ear.hear(is_(PING, resync=True))
            assert heard[0]["result"]["data"]["state"] == "JOB_STATE_ABORTED"
            monkeypatch.setattr(event_hub, "_LOOK_S", 0.01)
            world.stream.add(None)
            await ear.hear(is_(PING, resync=True))
            second = world.fabric.run()
            await ear.hear(is_(JOB, id=second))

    play(world, scenario)


def test_a_listener_that_does_not_read_is_cut_off(world, monkeypatch):
    monkeypatch.setattr(event_listener, "_WAITING_MAX", 3)

    async def scenario():
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            pending = asyncio.ensure_future(ear.hear(is_(JOB)))
            await asyncio.sleep(0.02)
            for _ in range(6):
                world.fabric.draft()
                await asyncio.sleep(0.05)
            await pending
            items = await ear.end()
            assert ear.raw.endswith(": the stream ends here; reconnect\n\n")
            assert len(items) <= 5

    play(world, scenario)


def test_a_token_that_is_good_no_more_ends_the_stream(world):
    async def scenario():
        async with world.listen(token="bad") as ear, world.listen(token="good") as other:
            await ear.hear(is_(PING))
            await other.hear(is_(PING))
            world.gate.refused.add("bad")
            assert (await ear.end())[-1]["error"]["code"] == 16
            job_id = world.fabric.draft()
            await other.hear(is_(JOB, id=job_id))

    play(world, scenario)


def test_a_stop_ends_all_streams_and_takes_no_more(world):
    async def scenario():
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            world.hub.stop()
            assert await ear.end() == []
            with pytest.raises(Unavailable):
                world.hub.check_room("ada")
            async with world.listen() as late:
                assert await late.end() == []

    play(world, scenario)


def test_a_hub_rests_while_nobody_listens(world):
    async def scenario():
        async with world.listen() as ear:
            await ear.hear(is_(PING))
        for _ in range(500):
            if world.hub._position is not None:
                await asyncio.sleep(0.01)
        assert world.hub._position is None
        assert world.hub._views == {}
        assert world.hub._live == {}
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            job_id = world.fabric.draft()
            await ear.hear(is_(JOB, id=job_id))

    play(world, scenario)


def test_pings_keep_the_place_of_quiet_listeners_fresh(world, monkeypatch):
    monkeypatch.setattr(event_hub, "_PING_S", 0.01)

    async def scenario():
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            world.fabric.draft("bob")
            heard = await ear.hear(lambda it: it["result"].get("id") == "1-1")
            assert {name(it) for it in heard} == {PING}

    play(world, scenario)


def test_ids_only_grow(world):
    async def scenario():
        job_id, worker = world.fabric.run_chunks(4), world.fabric.worker()
        async with world.listen() as ear:
            await ear.hear(is_(PING))
            for chunk in range(4):
                world.fabric.claim(worker, job_id, Stage.APP, chunk)
                world.fabric.commit(worker, job_id, Stage.APP, result(chunk, 1))
            heard = await ear.hear(
                lambda it: name(it) == JOB and it["result"]["data"]["progress"]["completed"] == 4
            )
        ids = [tuple(map(int, it["result"]["id"].split("-")[:2])) for it in heard]
        assert all(one <= other for one, other in pairwise(ids))

    play(world, scenario)
