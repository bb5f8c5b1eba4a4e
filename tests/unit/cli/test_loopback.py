"""Tests of the sign-in through the browser of this machine."""

import hashlib
import threading
import webbrowser
from base64 import urlsafe_b64encode
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from cli.loopback import authorize, has_browser
from gridloom.errors import ClientError

URL = "https://fabric.test"


@pytest.fixture
def browse(monkeypatch):
    """Return what lets a browser do something with the page's query, which is what the fabric would be asked."""
    threads, seen = [], {}

    def as_browser(act):
        def open_page(page):
            seen.update(parse_qsl(urlsplit(page).query), page=page)
            # As the real one, it is another program.
            threads.append(threading.Thread(target=act, args=(seen,)))
            threads[-1].start()

        monkeypatch.setattr(webbrowser, "open", open_page)
        return seen

    yield as_browser
    for thread in threads:
        thread.join()


def test_the_code_comes_back_with_what_it_is_exchanged_with(browse):
    seen = browse(
        lambda asked: httpx.get(asked["redirect_uri"], params={"code": "c", "state": asked["state"]})
    )
    told = []
    granted = authorize(URL, told.append)
    challenge = urlsafe_b64encode(hashlib.sha256(granted.verifier.encode()).digest()).rstrip(b"=").decode()
    assert granted.code == "c"
    assert granted.redirect_uri == seen["redirect_uri"]
    assert seen["redirect_uri"].startswith("http://127.0.0.1:")
    assert (seen["code_challenge"], seen["code_challenge_method"]) == (challenge, "S256")
    assert (seen["response_type"], seen["client_id"]) == ("code", "gridloom-cli")
    assert told == [seen["page"]]
    assert seen["page"].startswith(f"{URL}/v1/auth/oauth2/authorize?")


def test_a_refusal_is_an_error(browse):
    browse(
        lambda asked: httpx.get(
            asked["redirect_uri"], params={"error": "access_denied", "state": asked["state"]}
        )
    )
    with pytest.raises(ClientError, match="not signed in: access_denied"):
        authorize(URL, lambda _: None)


def test_what_does_not_carry_our_state_is_sent_away(browse):
    statuses, done = [], threading.Event()

    def act(asked):
        where = asked["redirect_uri"]
        for path, query in (
            ("", {"code": "theirs", "state": "guess"}),
            ("", {"code": "theirs"}),
            ("", {"state": asked["state"]}),
            ("/x", {"code": "theirs", "state": asked["state"]}),
            ("", {"code": "ours", "state": asked["state"]}),
        ):
            answer = httpx.get(f"{where}{path}", params=query)
            statuses.append(answer.status_code)
        done.set()

    browse(act)
    assert authorize(URL, lambda _: None).code == "ours"
    assert done.wait(10)
    assert statuses == [404, 404, 404, 404, 200]


def test_nobody_signs_in(browse):
    browse(lambda _: None)
    with pytest.raises(ClientError, match="nobody signed in"):
        authorize(URL, lambda _: None, within_s=0.05)


def test_a_browser_is_looked_for(monkeypatch):
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    assert has_browser()

    def none():
        raise webbrowser.Error("none")

    monkeypatch.setattr(webbrowser, "get", none)
    assert not has_browser()
