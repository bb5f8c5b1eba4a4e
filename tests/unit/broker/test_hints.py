"""Hints go out, or are said not to have."""

import json
import signal
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from broker.app import KEY_PREFIX
from broker.hints import HintQueues
from broker.redis_link import redis_client
from gridloom.devices import Needs
from gridloom.states import Stage
from gridloom.wire import Hint
from tests.fixtures.valkey import running_valkey

QUEUE = "cpu.c1.m1"


@pytest.fixture
def queues(valkey):
    with closing(HintQueues(valkey)) as found:
        yield found


def hint(*chunks):
    return Hint(job_id="j", stage=Stage.APP, chunks=chunks, needs=Needs())


def test_hints_wait_in_the_queue_of_their_class(queues, valkey):
    assert queues.depths([QUEUE, "cpu.c2.m2"]) == {QUEUE: 0, "cpu.c2.m2": 0}
    assert queues.send([(QUEUE, hint(1, 2)), (QUEUE, hint(3))]) == 2
    assert queues.depths([QUEUE, "cpu.c2.m2"]) == {QUEUE: 2, "cpu.c2.m2": 0}
    with redis_client(valkey) as client:
        message = json.loads(client.rpop(KEY_PREFIX + QUEUE))
        assert message["headers"]["task"] == "gridloom.run"
        assert client.keys(f"{KEY_PREFIX}unacked*") == []


def test_without_a_broker_the_depths_are_unknown(tmp_path):
    with closing(HintQueues(f"redis+socket://{tmp_path}/none")) as queues, capture_logs() as logs:
        assert queues.depths([QUEUE]) is None
    assert [it["event"] for it in logs] == ["queue_depths_unknown"]


def test_a_full_broker_is_survived(queues, valkey):
    with redis_client(valkey) as client, capture_logs() as logs:
        client.config_set("maxmemory", "1kb")
        assert queues.send([(QUEUE, hint(1))]) == 0
        client.config_set("maxmemory", "0")
        assert queues.send([(QUEUE, hint(1))]) == 1
    assert [it["event"] for it in logs] == ["hints_not_sent"]


def test_hints_go_out_again_after_the_broker_was_killed(tmp_path):
    with closing(HintQueues(f"redis+socket://{tmp_path}/v.sock")) as queues, capture_logs():
        with running_valkey(tmp_path) as process:
            assert queues.send([(QUEUE, hint(1))]) == 1
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert queues.send([(QUEUE, hint(2))]) == 0
        with running_valkey(tmp_path):
            assert queues.depths([QUEUE]) == {QUEUE: 0}
            assert sum(queues.send([(QUEUE, hint(3))]) for _ in range(2)) >= 1
