"""The one configuration of Celery: messages are hints, so nothing waits, retries or is kept."""

import pytest

from broker.app import class_queue, encode_hint, make_app
from gridloom.devices import Needs
from gridloom.states import Stage
from gridloom.wire import Hint


def test_messages_are_acknowledged_early_and_leave_no_result():
    conf = make_app("redis://localhost:6379/0").conf
    assert conf.task_acks_late is False
    assert conf.broker_transport_options["ack_emulation"] is False
    assert conf.task_ignore_result is True
    assert conf.result_backend is None
    assert conf.broker_connection_max_retries is None
    assert conf.accept_content == ["json"]


@pytest.mark.parametrize(
    ("url", "kept_alive"), [("redis://localhost:6379/0", True), ("redis+socket:///run/v.sock", False)]
)
def test_only_tcp_connections_are_kept_alive(url, kept_alive):
    assert ("socket_keepalive" in make_app(url).conf.broker_transport_options) is kept_alive


def test_a_queue_needs_no_binding_that_could_be_lost():
    queue = class_queue("cpu.c1.m1")
    assert (queue.name, queue.routing_key, queue.exchange.name) == ("cpu.c1.m1", "cpu.c1.m1", "")


def test_a_hint_survives_its_message():
    hint = Hint(job_id="j", stage=Stage.APP, chunks=(1, 2), needs=Needs(cores=0.5, gpus=("T4",)))
    assert Hint.model_validate(encode_hint(hint)["hint"]) == hint
