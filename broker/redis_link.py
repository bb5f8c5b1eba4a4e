"""Plain Redis clients from a broker URL in Celery's spelling."""

from urllib.parse import parse_qs, urlsplit

import redis

from gridloom.errors import SetupFailed


def redis_client(broker_url: str, *, timeout_s: float | None = 5.0) -> "redis.Redis":
    """Return a client for `redis://`, `rediss://` or `redis+socket:///path?virtual_host=N`.

    Raises:
        SetupFailed: when the URL is of another kind.
    """
    parts = urlsplit(broker_url)
    if parts.scheme == "redis+socket":
        database = int(parse_qs(parts.query).get("virtual_host", ["0"])[0])
        return redis.Redis(unix_socket_path=parts.path, db=database, socket_timeout=timeout_s)
    if parts.scheme in {"redis", "rediss"}:
        return redis.Redis.from_url(broker_url, socket_timeout=timeout_s, socket_connect_timeout=5.0)
    raise SetupFailed(
        f"GRIDLOOM_BROKER_URL: {parts.scheme}:// is not supported, use redis://, rediss:// or redis+socket://"
    )
