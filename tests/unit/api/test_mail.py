import socket
import threading

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from structlog.testing import capture_logs

from api.mail import Mailer
from gridloom.errors import SetupFailed, Unavailable
from gridloom.settings import Settings


class Inbox:
    def __init__(self):
        self.mails, self.logins = [], []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the server's name for it
        self.mails.append(envelope)
        return "250 OK"

    def authenticate(self, server, session, envelope, mechanism, login):
        self.logins.append((login.login, login.password))
        return AuthResult(success=True)


@pytest.fixture
def inbox():
    inbox = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        inbox.port = probe.getsockname()[1]
    server = Controller(
        inbox,
        hostname="127.0.0.1",
        port=inbox.port,
        authenticator=inbox.authenticate,
        auth_require_tls=False,
    )
    server.start()
    yield inbox
    server.stop()


@pytest.fixture
def mailer():
    made = []

    def make(**changes):
        made.append(Mailer(Settings(**changes)))
        return made[-1]

    yield make
    for it in made:
        it.close()


def test_a_mail_goes_by_smtp_with_its_login(inbox, mailer):
    url = f"smtp://robot:p%40ss@127.0.0.1:{inbox.port}"
    mailer(smtp_url=url, mail_from="gridloom@fabric.test").send("ada@example.test", "Hello", "123456\n")
    mail = inbox.mails[0]
    assert (mail.mail_from, mail.rcpt_tos) == ("gridloom@fabric.test", ["ada@example.test"])
    assert b"Subject: Hello" in mail.content
    assert b"123456" in mail.content
    assert inbox.logins == [(b"robot", b"p@ss")]


def test_on_loopback_without_a_server_mail_appears_in_the_log(mailer):
    with capture_logs() as logs:
        mailer(host="localhost").send("ada@example.test", "Hello", "123456")
    assert [(it["event"], it["to"], it["text"]) for it in logs] == [
        ("mail_on_console", "ada@example.test", "123456")
    ]


@pytest.mark.parametrize(
    "changes", [{"host": "0.0.0.0"}, {"host": "fabric.test"}, {"host": "127.0.0.1", "behind_proxy": True}]
)
def test_where_others_reach_the_fabric_a_mail_server_is_needed(mailer, changes):
    assert not mailer(**changes).works
    with pytest.raises(Unavailable, match="GRIDLOOM_SMTP_URL"):
        mailer(**changes).check()
    mailer(**changes, smtp_url="smtps://mail.test").check()


@pytest.mark.parametrize("url", ["http://mail.test", "mail.test:25", "smtp://"])
def test_another_url_is_refused_at_the_start(url):
    with pytest.raises(SetupFailed, match="GRIDLOOM_SMTP_URL"):
        Mailer(Settings(smtp_url=url))


def test_what_fails_in_the_background_is_logged_and_later_mails_go(mailer):
    box, done = mailer(), threading.Event()
    with capture_logs() as logs:
        box.later(lambda: 1 / 0)
        box.later(done.set)
        assert done.wait(10)
        box.close()
    assert [it["event"] for it in logs] == ["mail_failed"]


def test_no_more_waits_than_fits(mailer, monkeypatch):
    monkeypatch.setattr("api.mail._MOST_WAITING", 2)
    box, hold = mailer(), threading.Event()
    for _ in range(2):
        box.later(lambda: hold.wait(10))
    with pytest.raises(Unavailable):
        box.later(hold.set)
    hold.set()
