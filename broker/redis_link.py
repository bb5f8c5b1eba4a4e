"""Plain Redis clients from a broker URL in Celery's spelling."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
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
    parts = urlsplit(broker_url)
    options: dict[str, Any] = {"socket_timeout": timeout_s, "retry": Retry(NoBackoff(), retries)}
    if parts.scheme == "redis+socket":
        database = int(parse_qs(parts.query).get("virtual_host", ["0"])[0])
        return redis.Redis(unix_socket_path=parts.path, db=database, **options)
    if parts.scheme in {"redis", "rediss"}:
        return redis.Redis.from_url(broker_url, socket_connect_timeout=5.0, socket_keepalive=True, **options)
    raise SetupFailed(
        f"GRIDLOOM_BROKER_URL: {parts.scheme}:// is not supported, use redis://, rediss:// or redis+socket://"
    )
