from types import SimpleNamespace

import pytest
import redis

from worker.gate import PATIENCE_S, Gate


class Consumer:
    def __init__(self, *queues):
        self.task_consumer = SimpleNamespace(queues=[SimpleNamespace(name=name) for name in queues])
        self.full = False

    @property
    def names(self):
        return {queue.name for queue in self.task_consumer.queues}

    def add_task_queue(self, name):
        if self.full:
            raise redis.ResponseError("OOM")
        self.task_consumer.queues.append(SimpleNamespace(name=name))

    def cancel_task_queue(self, name):
        self.task_consumer.queues = [it for it in self.task_consumer.queues if it.name != name]


@pytest.fixture
def rig():
    rig = SimpleNamespace(wanted=set(), now=0.0)
    rig.gate = Gate(lambda: rig.wanted, lambda: rig.now)
    return rig


def test_wanted_queues_are_joined_at_once(rig):
    consumer = Consumer()
    rig.wanted = {"a", "b"}
    rig.gate.evaluate(consumer)
    assert consumer.names == {"a", "b"}


def test_a_queue_is_left_only_after_a_while(rig):
    consumer = Consumer("a", "b")
    rig.wanted = {"a"}
    rig.gate.evaluate(consumer)
    assert consumer.names == {"a", "b"}
    rig.now = PATIENCE_S
    rig.gate.evaluate(consumer)
    assert consumer.names == {"a"}


def test_a_queue_that_is_wanted_again_meanwhile_starts_its_while_anew(rig):
    consumer = Consumer("a", "b")
    for now, wanted in ((0.0, {"a"}), (0.5, {"a", "b"}), (1.0, {"a"})):
        rig.now, rig.wanted = now, wanted
        rig.gate.evaluate(consumer)
    assert consumer.names == {"a", "b"}


def test_with_nothing_wanted_everything_is_left_at_once(rig):
    consumer = Consumer("a", "b")
    rig.gate.evaluate(consumer)
    assert consumer.names == set()


def test_a_busy_worker_leaves_its_queues_as_they_are(rig):
    consumer = Consumer("a")
    rig.wanted = None
    rig.gate.evaluate(consumer)
    assert consumer.names == {"a"}


def test_a_full_broker_is_asked_again(rig):
    consumer = Consumer()
    rig.wanted, consumer.full = {"a"}, True
    rig.gate.evaluate(consumer)
    assert consumer.names == set()
    consumer.full = False
    rig.gate.evaluate(consumer)
    assert consumer.names == {"a"}


def test_nothing_is_done_while_the_consumer_reconnects(rig):
    rig.wanted = {"a"}
    rig.gate.evaluate(SimpleNamespace(task_consumer=None))
