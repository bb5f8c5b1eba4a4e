"""Wake-ups arrive, may get lost, and never get in the way."""

import signal
import threading
import time
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from broker import wakeup
from broker.wakeup import Wakeup
from tests.fixtures.valkey import running_valkey


@pytest.fixture
def rung(valkey):
    with closing(Wakeup(valkey)) as found:
        yield found


def test_whoever_waits_hears_all_jobs_named_since(rung):
    for job_id in ("a", "b", "a"):
        rung.notify(job_id)
    assert rung.wait(1) == {"a", "b"}
    assert rung.wait(0.05) == set()


def test_a_wait_ends_when_a_job_is_named(rung):
    heard = []
    waiter = threading.Thread(target=lambda: heard.append(rung.wait(10)))
    waiter.start()
    rung.notify("a")
    waiter.join(5)
    assert heard == [{"a"}]


def test_a_long_wait_is_no_failure(valkey, monkeypatch):
    """Waiting as long as the connection's own timeout must not look like a broker that hangs."""
    monkeypatch.setattr(wakeup, "_WAIT_MAX_S", 0.2)
    with closing(Wakeup(valkey)) as rung, capture_logs() as logs:
        started = time.monotonic()
        assert rung.wait(60) == set()
    assert time.monotonic() - started < 2
    assert logs == []
    assert wakeup._WAIT_MAX_S < 5


def test_a_flood_is_bounded(rung, monkeypatch):
    monkeypatch.setattr(wakeup, "_WAKE_LIMIT", 3)
    for number in range(9):
        rung.notify(str(number))
    assert len(rung.wait(1)) <= 4


def test_cancels_reach_every_listener_and_the_scheduler(rung):
    one, other = rung.cancels(), rung.cancels()
    assert (next(one), next(other)) == ("", "")
    rung.cancel("a")
    assert (next(one), next(other)) == ("a", "a")
    assert rung.wait(1) == {"a"}
    one.close()
    other.close()


def test_a_submitted_job_is_told_to_those_who_get_ready_for_it(rung):
    warms, cancels = rung.warms(), rung.cancels()
    assert (next(warms), next(cancels)) == ("", "")
    rung.warm("a")
    rung.cancel("b")
    assert (next(warms), next(cancels)) == ("a", "b")
    assert rung.wait(1) == {"b"}
    warms.close()
    cancels.close()


def test_without_a_broker_nothing_raises_and_nothing_hangs(tmp_path):
    with closing(Wakeup(f"redis+socket://{tmp_path}/none")) as rung, capture_logs() as logs:
        started = time.monotonic()
        rung.cancel("a")
        rung.warm("a")
        assert rung.wait(0.01) == set()
        assert time.monotonic() - started < 1
    assert {it["event"] for it in logs} == {"wakeup_not_sent", "announcement_not_sent", "wakeup_not_heard"}


def test_both_directions_come_back_after_the_broker_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(wakeup, "_RETRY_S", 0.05)
    with closing(Wakeup("redis+socket://" + str(tmp_path / "v.sock"))) as rung, capture_logs():
        with running_valkey(tmp_path) as process:
            cancels = rung.cancels()
            assert next(cancels) == ""
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert rung.wait(0.01) == set()
        with running_valkey(tmp_path):
            assert next(cancels) == ""
            rung.cancel("a")
            assert next(cancels) == "a"
            assert rung.wait(1) == {"a"}
        cancels.close()
