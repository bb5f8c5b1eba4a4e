"""Sends hints: the scheduler's only way to reach workers."""

from collections.abc import Iterable

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from broker.app import RUN_TASK, class_queue, encode_hint, make_app
from broker.redis_link import KEY_PREFIX, redis_client
from gridloom.wire import Hint

log = structlog.get_logger()


class HintQueues:
    """The Celery queues, one for each device class, seen from the scheduler."""

    def __init__(self, broker_url: str) -> None:
        self._app: Celery = make_app(broker_url)
        self._redis = redis_client(broker_url)

    def depths(self, queues: Iterable[str]) -> dict[str, int] | None:
        """Return how many messages wait in each queue, or None when the broker can't be asked."""
        names = list(queues)
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.llen(KEY_PREFIX + name)
        try:
            return dict(zip(names, pipe.execute(), strict=True))
        except redis.RedisError as error:
            log.warning("queue_depths_unknown", error=str(error))
            return None

    def send(self, hints: Iterable[tuple[str, Hint]]) -> int:
        """Send each (queue, hint); return how many went out. The rest are found again by their age."""
        sent = 0
        try:
            with self._app.producer_pool.acquire(block=True) as producer:
                for queue, hint in hints:
                    self._app.send_task(
                        RUN_TASK,
                        kwargs=encode_hint(hint),
                        queue=class_queue(queue),
                        producer=producer,
                        retry=False,
                    )
                    sent += 1
        except (OperationalError, redis.RedisError) as error:
            log.warning("hints_not_sent", sent=sent, error=str(error))
        return sent

    def close(self) -> None:
        """Close the connections."""
        self._app.close()
        self._redis.close()
