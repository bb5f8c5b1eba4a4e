"""Plain Redis clients from a broker URL in Celery's spelling."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from gridloom.errors import SetupFailed

KEY_PREFIX = "gridloom:"  #: of every key and channel in the broker


def redis_client(broker_url: str, *, timeout_s: float | None = 5.0, retries: int = 1) -> "redis.Redis":
    """Return a client for `redis://`, `rediss://` or `redis+socket:///path?virtual_host=N`.

    A call that fails is made again `retries` times at once: once is enough to replace a connection that broke while
    nobody used it, and nobody waits for a broker that is away.

    Raises:
        SetupFailed: when the URL is of another kind.
    """
    client: redis.Redis = _open(
        redis.Redis, broker_url, socket_timeout=timeout_s, retry=Retry(NoBackoff(), retries)
    )
    return client


def async_redis_client(broker_url: str, *, timeout_s: float = 5.0) -> "redis.asyncio.Redis":
    """Return the like for an event loop; a call that fails is not made again.

    Raises:
        SetupFailed: when the URL is of another kind.
    """
    retry = AsyncRetry(NoBackoff(), 0)
    client: redis.asyncio.Redis = _open(
        redis.asyncio.Redis, broker_url, socket_timeout=timeout_s, retry=retry
    )
    return client


def _open(kind: Any, broker_url: str, **options: Any) -> Any:
    parts = urlsplit(broker_url)
    if parts.scheme == "redis+socket":
        database = int(parse_qs(parts.query).get("virtual_host", ["0"])[0])
        return kind(unix_socket_path=parts.path, db=database, **options)
    if parts.scheme in {"redis", "rediss"}:
        return kind.from_url(broker_url, socket_connect_timeout=5.0, socket_keepalive=True, **options)
    raise SetupFailed(
        f"GRIDLOOM_BROKER_URL: {parts.scheme}:// is not supported, use redis://, rediss:// or redis+socket://"
    )
