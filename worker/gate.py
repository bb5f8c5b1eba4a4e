"""The gate: subscribes the Celery consumer to just those queues whose tasks the machine can take now.

It only saves trips, since a message may come between two looks: what decides is the ledger. A queue is left alone
while every thread is busy, when nothing is fetched anyway, and for a while after its tasks stopped fitting: leaving
and joining again costs the broker more than a hint that waits a moment.
"""

import time
from collections.abc import Callable
from typing import Any

import redis
import structlog
from celery import Celery, bootsteps
from celery.concurrency.thread import TaskPool
from kombu.exceptions import OperationalError

log = structlog.get_logger()

TICK_S = 0.25
PATIENCE_S = 1.0
BREATH_S = 0.5  #: between two attempts to reach a broker that is away


class Gate:
    """Decides which queues to leave and to join; `evaluate` runs in the consumer's thread alone."""

    def __init__(
        self,
        wanted: Callable[[], set[str] | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted = wanted
        self._clock = clock
        self._unwanted_since: dict[str, float] = {}
        self._refused = False

    def evaluate(self, consumer: Any) -> None:
        """Make the consumer's queues those that are wanted; None leaves them as they are."""
        wanted = self._wanted()
        if wanted is None or not consumer.task_consumer:
            return
        have = {queue.name for queue in consumer.task_consumer.queues}
        now = self._clock()
        self._unwanted_since = {it: self._unwanted_since.get(it, now) for it in have - wanted}
        # With nothing wanted at all the worker drains or its disk is full: then there is no reason to wait.
        patience_s = PATIENCE_S if wanted else 0.0
        for queue, since in self._unwanted_since.items():
            if now - since >= patience_s:
                consumer.cancel_task_queue(queue)
        for queue in sorted(wanted - have):
            self._join(consumer, queue)

    def _join(self, consumer: Any, queue: str) -> None:
        try:
            consumer.add_task_queue(queue)
        except (redis.RedisError, OperationalError) as error:
            # A full Redis refuses to declare queues; the next look tries again.
            if not self._refused:
                log.warning("queue_not_joined", queue=queue, error=str(error))
            self._refused = True
        else:
            self._refused = False


class Doorbell:
    """Makes the consumer look again at once, from any thread: by itself Celery would not notice a free thread."""

    def __init__(self) -> None:
        self._look: Callable[[], object] | None = None

    def connect(self, look: Callable[[], object] | None) -> None:
        """Say what ringing does; None while there is no consumer."""
        self._look = look

    def ring(self) -> None:
        """Make the consumer's loop turn."""
        look = self._look
        if look is not None:
            look()


def pool_class(after_task: Callable[[], None]) -> type:
    """Return a thread pool that calls `after_task`, in the task's thread, once Celery counts it as done."""

    class Pool(TaskPool):  # type: ignore[misc]  # celery has no types
        """Threads."""

        def on_apply(self, *args: Any, **options: Any) -> Any:
            """Run a task in a thread."""
            result = super().on_apply(*args, **options)
            result.f.add_done_callback(lambda _future: after_task())
            return result

    return Pool


def install_gate(app: Celery, gate: Gate, bell: Doorbell) -> None:
    """Let the gate look four times a second and whenever the bell rings, while the consumer is connected."""

    class GateStep(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
        """Starts anew after each reconnect."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **options: Any) -> None:
            self._timer: Any = None
            self._stopped_at = 0.0
            super().__init__(consumer, **options)

        def start(self, consumer: Any) -> None:
            """Begin to look."""
            gate.evaluate(consumer)
            self._timer = consumer.timer.call_repeatedly(TICK_S, gate.evaluate, (consumer,))
            bell.connect(lambda: consumer.call_soon(gate.evaluate, consumer))

        def stop(self, consumer: Any) -> None:  # noqa: ARG002 - celery's signature
            """Look no more. Celery itself reconnects without a pause where a connection is opened late."""
            if time.monotonic() - self._stopped_at < BREATH_S:
                time.sleep(BREATH_S)
            self._stopped_at = time.monotonic()
            bell.connect(None)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    app.steps["consumer"].add(GateStep)
