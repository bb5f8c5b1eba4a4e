"""The Celery app and its one configuration.

Messages are hints: the database says what is to be done, so losing, doubling or delaying one breaks nothing. That is
why acknowledgement is early and emulation of it off; see docs/decisions/0002-hints-not-queues.md.
"""

import json
from functools import cache
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from broker.redis_link import KEY_PREFIX
from gridloom.wire import Hint

RUN_TASK = "gridloom.run"

_TRANSPORT: dict[str, Any] = {
    "ack_emulation": False,
    "global_keyprefix": KEY_PREFIX,
    "health_check_interval": 10,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    # One Redis list a queue: order is decided in the database, not by the broker.
    "priority_steps": [0],
}


def make_app(broker_url: str) -> Celery:
    """Return the app for a broker; the one place where Celery is configured."""
    app = Celery("gridloom", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_acks_late=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_transport_options=_transport_options(broker_url),
    )
    return app


@cache
def class_queue(name: str) -> Queue:
    """Return the queue of a device class; the default exchange delivers to it by name, so no binding can be lost."""
    return Queue(name, Exchange(""), routing_key=name)


def _transport_options(broker_url: str) -> dict[str, Any]:
    # A unix socket has no TCP keepalive to set, and redis-py refuses the option there.
    if broker_url.startswith("redis+socket://"):
        return {name: value for name, value in _TRANSPORT.items() if name != "socket_keepalive"}
    return dict(_TRANSPORT)


def encode_hint(hint: Hint) -> dict[str, Any]:
    """Return the task's keyword arguments for a hint."""
    return {"hint": json.loads(hint.model_dump_json())}
