"""Wake-ups: how the control plane tells the scheduler and the workers to look now instead of at their next tick.

Like hints they carry no authority and may be lost: the scheduler looks each second anyway, workers at each heartbeat.
"""

import time
from collections.abc import Iterator

import redis
import structlog

from broker.redis_link import KEY_PREFIX, redis_client

log = structlog.get_logger()

_WAKE_LIST = f"{KEY_PREFIX}wake"
_CANCEL_CHANNEL = f"{KEY_PREFIX}cancel"
_WARM_CHANNEL = f"{KEY_PREFIX}warm"
_WAKE_LIMIT = 10_000
_RETRY_S = 1.0
_WAIT_MAX_S = 3.0  #: well below the connection's timeout, or a quiet broker would pass for one that hangs


class Wakeup:
    """One connection pool for both directions."""

    def __init__(self, broker_url: str) -> None:
        self._redis = redis_client(broker_url)
        self._url = broker_url

    def notify(self, job_id: str) -> None:
        """Tell the scheduler that this job may have moved; never raises."""
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.lpush(_WAKE_LIST, job_id)
            pipe.ltrim(_WAKE_LIST, 0, _WAKE_LIMIT - 1)
            pipe.execute()
        except redis.RedisError as error:
            log.warning("wakeup_not_sent", job=job_id, error=str(error))

    def cancel(self, job_id: str) -> None:
        """Tell every worker and the scheduler that this job's leases may be gone; never raises."""
        self.notify(job_id)
        self._announce(_CANCEL_CHANNEL, job_id)

    def warm(self, job_id: str) -> None:
        """Tell every worker that this job was submitted, so that it may get ready; never raises."""
        self._announce(_WARM_CHANNEL, job_id)

    def wait(self, timeout_s: float) -> set[str]:
        """Wait for wake-ups, at most `timeout_s` and a few seconds; return the jobs named since the last call."""
        try:
            first = self._redis.brpop([_WAKE_LIST], timeout=min(timeout_s, _WAIT_MAX_S))
            if first is None:
                return set()
            rest = self._redis.rpop(_WAKE_LIST, _WAKE_LIMIT) or []
        except redis.RedisError as error:
            log.warning("wakeup_not_heard", error=str(error))
            time.sleep(min(timeout_s, _RETRY_S))
            return set()
        return {raw.decode() for raw in (first[1], *rest)}

    def cancels(self) -> Iterator[str]:
        """Yield the job of each cancel call, for ever; reconnects by itself.

        At first and after a reconnect it yields an empty string: calls may have been missed, so the listener must
        look at all.
        """
        return self._listen(_CANCEL_CHANNEL)

    def warms(self) -> Iterator[str]:
        """Yield the job of each warm call like `cancels`; who gets an empty string missed nothing that must be done."""
        return self._listen(_WARM_CHANNEL)

    def _announce(self, channel: str, job_id: str) -> None:
        try:
            self._redis.publish(channel, job_id)
        except redis.RedisError as error:
            log.warning("announcement_not_sent", channel=channel, job=job_id, error=str(error))

    def _listen(self, name: str) -> Iterator[str]:
        while True:
            try:
                # Without retries: the client would reconnect in silence, and what was missed would stay missed.
                with redis_client(self._url, timeout_s=None, retries=0).pubsub(
                    ignore_subscribe_messages=True
                ) as channel:
                    channel.subscribe(name)
                    yield ""
                    for message in channel.listen():
                        yield message["data"].decode()
            except redis.RedisError as error:
                log.warning("channel_lost", channel=name, error=str(error))
                time.sleep(_RETRY_S)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
