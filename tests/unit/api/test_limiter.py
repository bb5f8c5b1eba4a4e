import pytest

from api.limiter import Limiter, party_of
from gridloom.errors import SetupFailed, TooMany


def test_calls_beyond_the_rate_are_refused_by_key():
    limiter = Limiter("X", "2/hour")
    limiter.count("a")
    limiter.count("a")
    with pytest.raises(TooMany, match="2 per 1 hour") as refused:
        limiter.count("a")
    assert 1 <= refused.value.retry_after_s <= 3600
    limiter.count("b")


def test_a_check_counts_nothing():
    limiter = Limiter("X", "1/hour")
    for _ in range(3):
        limiter.check("a")
    limiter.count("a")
    with pytest.raises(TooMany):
        limiter.check("a")


def test_without_a_rate_everything_is_allowed():
    limiter = Limiter("X", "")
    for _ in range(100):
        limiter.count("a")
        limiter.check("a")


def test_what_is_no_rate_keeps_the_control_plane_from_starting():
    with pytest.raises(SetupFailed, match="GRIDLOOM_RATE_LIMIT"):
        Limiter("GRIDLOOM_RATE_LIMIT", "often")


@pytest.mark.parametrize("settings", [{"rate_limit": "2/hour"}], indirect=True)
def test_an_account_that_calls_too_often_is_told_when_to_come_back(ada, bob):
    assert [ada.get("/v1/customer/jobs").status_code for _ in range(3)] == [200, 200, 429]
    answer = ada.get("/v1/customer/jobs")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == 429
    assert bob.get("/v1/customer/jobs").status_code == 200


def test_a_window_that_ended_takes_its_counts_along(monkeypatch):
    limiter, now = Limiter("X", "1/minute"), 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    limiter.count("a")
    now += 59
    with pytest.raises(TooMany) as refused:
        limiter.count("a")
    assert refused.value.retry_after_s == 1
    now += 1
    limiter.count("a")


@pytest.mark.parametrize(
    ("address", "party"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_ipv6_host_is_one_party_whatever_addresses_it_gives_itself(address, party):
    assert party_of(address) == party
