"""Broker URLs in Celery's spelling, as plain clients."""

import time

import pytest
import redis

from broker.redis_link import redis_client
from gridloom.errors import SetupFailed


def test_a_socket_and_its_database_are_understood(valkey):
    with redis_client(valkey) as client, redis_client(valkey.replace("=0", "=1")) as other:
        client.set("key", "value")
        assert client.get("key") == b"value"
        assert other.get("key") is None


def test_hosts_and_passwords_are_understood():
    with redis_client("redis://:secret@broker:6380/3") as client:
        found = client.connection_pool.connection_kwargs
    assert (found["host"], found["port"], found["db"], found["password"]) == ("broker", 6380, 3, "secret")


@pytest.mark.parametrize("url", ["amqp://localhost", "sqs://", "nonsense"])
def test_another_broker_is_refused_by_name(url):
    with pytest.raises(SetupFailed, match="GRIDLOOM_BROKER_URL"):
        redis_client(url)


def test_a_broker_that_is_away_is_not_waited_for(tmp_path):
    started = time.monotonic()
    with redis_client(f"redis+socket://{tmp_path}/none") as client, pytest.raises(redis.ConnectionError):
        client.ping()
    assert time.monotonic() - started < 0.5
