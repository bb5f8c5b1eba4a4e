"""Tests of tokens, refusals and patience; every one with both clients."""

import asyncio
import time

import httpx
import pytest

from gridloom.client import Access, AsyncClient
from gridloom.errors import ClientError, Unreachable
from gridloom.profiles import Profile, Profiles, read_profiles, try_lock, write_profiles

JOB = {"job": {"id": "j", "state": "JOB_STATE_NEW"}}
AWAY = httpx.ConnectError("refused")


def test_the_key_is_exchanged_once_and_the_token_sent(script, connect):
    script.answers = [JOB, JOB]
    client = connect()
    assert client.do("job", "j").state == "JOB_STATE_NEW"
    client.do("job", "j")
    assert script.seen[0].content == b'{"apiKey":"key"}'
    assert [it.headers.get("Authorization") for it in script.seen] == [None, "first", "first"]


def test_a_token_that_is_no_longer_taken_is_renewed(script, connect):
    script.answers = [JOB, (401, {}), JOB]
    client = connect()
    client.do("job", "j")
    client.do("job", "j")
    paths = [it.url.path for it in script.seen]
    assert paths.count("/v1/auth/access_token") == 2


def test_a_fresh_token_that_is_refused_is_an_error(script, connect):
    script.answers = [(401, {"message": "no"})]
    with pytest.raises(ClientError, match=r"^no$"):
        connect().do("job", "j")
    assert len(script.seen) == 2


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        (b'{"message": "a\\nb", "code": 3}', "a b", ""),
        (b'{"message": "", "error": {"message": "Bad", "description": "worse"}}', "worse", ""),
        (b'{"message": "m", "details": [{"fieldViolations": [{"field": "/a/b"}]}]}', "m", "/a/b"),
        (b'{"error": "invalid_grant", "error_description": "gone"}', "gone", ""),
        (b"<html>", "answers 400", ""),
        (b"[]", "answers 400", ""),
    ],
)
def test_a_refusal_is_read_from_the_common_error_body(script, connect, body, message, field):
    script.answers = [(400, body)]
    with pytest.raises(ClientError, match=message) as refused:
        connect().do("job", "j")
    assert (refused.value.status, refused.value.field) == (400, field)


@pytest.mark.parametrize("body", [b"hello", b"[1]"])
def test_another_kind_of_server_is_told_apart(script, connect, body):
    script.answers = [(200, body)]
    with pytest.raises(ClientError, match="like Gridloom"):
        connect().do("job", "j")


def test_repeatable_calls_wait_for_a_fabric_that_comes_back(script, connect, no_waiting):
    script.answers = [JOB, AWAY, (503, {}), JOB, AWAY, JOB]
    waits = []
    client = connect(on_wait=lambda error: waits.append(error.message))
    client.do("job", "j")
    client.do("job", "j")
    client.do("create_job", {"templateId": "t"})
    assert waits == ["cannot reach http://fabric.test: refused"] * 2
    assert len(no_waiting) == 3
    keys = {
        it.headers["Idempotency-Key"] for it in script.seen if it.method == "POST" and "job" in it.url.path
    }
    assert len(keys) == 1


def test_other_calls_and_first_ones_do_not_wait(script, connect, no_waiting):
    script.answers = [AWAY]
    with pytest.raises(Unreachable):
        connect().do("job", "j")
    script.answers = [JOB, AWAY]
    client = connect()
    client.do("job", "j")
    with pytest.raises(Unreachable, match="cannot reach"):
        client.do("abort_job", "j")
    assert no_waiting == []


def test_patience_ends(script, connect, no_waiting):
    script.answers = [JOB, AWAY]
    client = connect(patience_s=0)
    client.do("job", "j")
    with pytest.raises(Unreachable):
        client.do("job", "j")


def test_what_is_too_much_at_a_time_is_repeated_after_the_pause_that_is_asked_for(
    script, connect, no_waiting
):
    script.answers = [
        httpx.Response(429, headers={"Retry-After": "7"}, json={"message": "slow"}),
        {"ok": True},
    ]
    assert connect().do("abort_job", "j").ok
    assert no_waiting == [7]


def test_a_pause_longer_than_the_patience_is_an_error(script, connect, no_waiting):
    script.answers = [httpx.Response(429, headers={"Retry-After": "3600"}, json={"message": "slow"})]
    with pytest.raises(ClientError, match="slow") as refused:
        connect().do("abort_job", "j")
    assert refused.value.retry_after_s == 3600


def test_a_refresh_token_is_used_and_the_next_one_kept(script, connect, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    write_profiles(Profiles(by_name={"office": Profile(url="http://fabric.test", refresh_token="old")}))
    script.answers = [{"access_token": "a", "expires_in": 3600, "refresh_token": "new"}, JOB]
    connect(access=Access(url="http://fabric.test", refresh_token="old", profile="office")).do("job", "j")
    assert b"grant_type=refresh_token&refresh_token=old" in script.seen[0].content
    assert script.seen[1].headers["Authorization"] == "a"
    assert read_profiles().get("office").refresh_token == "new"


def test_a_refresh_token_that_another_process_renewed_is_taken_over(script, connect, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    write_profiles(Profiles(by_name={"office": Profile(url="http://fabric.test", refresh_token="newer")}))
    script.answers = [{"access_token": "a", "expires_in": 3600}, JOB]
    connect(access=Access(url="http://fabric.test", refresh_token="old", profile="office")).do("job", "j")
    assert b"refresh_token=newer" in script.seen[0].content


def test_a_token_that_another_process_got_is_used_while_it_lasts(script, connect, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    kept = Profile(
        url="http://fabric.test", refresh_token="r", access_token="theirs", access_until=time.time() + 900
    )
    write_profiles(Profiles(by_name={"office": kept}))
    script.answers = [JOB]
    access = Access(url="http://fabric.test", refresh_token="old", profile="office")
    connect(access=access).do("job", "j")
    assert script.seen[0].headers["Authorization"] == "theirs"


def test_a_token_of_another_process_that_is_no_longer_taken_is_renewed(
    script, connect, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    kept = Profile(
        url="http://fabric.test", refresh_token="r", access_token="theirs", access_until=time.time() + 900
    )
    write_profiles(Profiles(by_name={"office": kept}))
    script.answers = [(401, {}), {"access_token": "a", "expires_in": 3600, "refresh_token": "r2"}, JOB]
    access = Access(url="http://fabric.test", refresh_token="old", profile="office")
    connect(access=access).do("job", "j")
    assert b"refresh_token=r&" in script.seen[1].content
    renewed = read_profiles().get("office")
    assert (renewed.refresh_token, renewed.access_token) == ("r2", "a")
    assert renewed.access_until > time.time() + 3000


def test_one_process_at_a_time_uses_a_refresh_token(script, connect, monkeypatch, tmp_path, no_waiting):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    kept = Profile(url="http://fabric.test", refresh_token="r")
    write_profiles(Profiles(by_name={"office": kept}))
    locks = [None, None, try_lock]
    monkeypatch.setattr("gridloom.client.session.try_lock", lambda: (it := locks.pop(0)) and it())
    script.answers = [{"access_token": "a", "expires_in": 3600}, JOB]
    connect(access=Access(url="http://fabric.test", refresh_token="r", profile="office")).do("job", "j")
    assert len(no_waiting) == 2


def test_conversations_at_the_same_time_renew_the_token_once(script):
    script.answers = [{"access_token": "a", "expires_in": 3600, "refresh_token": "next"}, JOB, JOB, JOB]

    async def slowly(request):
        await asyncio.sleep(0.01)
        return script(request)

    async def three():
        access, transport = Access(url="http://fabric.test", refresh_token="old"), httpx.MockTransport(slowly)
        async with AsyncClient(access=access, transport=transport) as client:
            await asyncio.gather(*(client.job("j") for _ in range(3)))

    asyncio.run(three())
    assert [it.url.path.rpartition("/")[2] for it in script.seen] == ["token", "j", "j", "j"]


def test_a_given_token_is_used_as_it_is(script, connect):
    script.answers = [JOB, (401, {"message": "over"})]
    client = connect(access=Access(url="http://fabric.test", access_token="mine"))
    client.do("job", "j")
    with pytest.raises(ClientError, match="over"):
        client.do("job", "j")
    assert {it.headers["Authorization"] for it in script.seen} == {"mine"}


def test_without_a_credential_only_open_calls_are_made(script, connect):
    script.answers = [{"token": "t", "expiresIn": "60"}]
    client = connect(access=Access(url="http://fabric.test"))
    assert client.do("sign_in", "a@b", password="p").expires_in_s == 60
    assert "Authorization" not in script.seen[0].headers
    with pytest.raises(ClientError, match="needs an API key"):
        client.do("job", "j")
