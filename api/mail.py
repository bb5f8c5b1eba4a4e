"""Mail to users, sent in the background: by SMTP, or on a machine that only its own users reach into the log."""

import smtplib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from ipaddress import ip_address
from threading import BoundedSemaphore
from urllib.parse import unquote, urlsplit

import structlog

from gridloom.errors import SetupFailed, Unavailable
from gridloom.settings import Settings

log = structlog.get_logger()

_TIMEOUT_S = 20
_THREADS = 2
_MOST_WAITING = 200
_PORTS = {"smtp": 587, "smtps": 465}


class Mailer:
    """Sends mail for one control plane."""

    def __init__(self, settings: Settings) -> None:
        """Raise `SetupFailed` when GRIDLOOM_SMTP_URL can't be used."""
        self._url = urlsplit(settings.smtp_url.get_secret_value())
        if self._url.scheme not in ("", *_PORTS) or (self._url.scheme and not self._url.hostname):
            raise SetupFailed("GRIDLOOM_SMTP_URL must be smtp://[user:password@]host[:port] or smtps://…")
        self._sender = settings.mail_from
        self._on_console = _is_loopback(settings.host) and not settings.behind_proxy
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mail")
        self._room = BoundedSemaphore(_MOST_WAITING)

    @property
    def works(self) -> bool:
        """Whether mail reaches anyone."""
        return bool(self._url.scheme) or self._on_console

    def check(self) -> None:
        """Raise `Unavailable` when mail reaches nobody."""
        if not self.works:
            raise Unavailable("this fabric sends no mail: its operator must set GRIDLOOM_SMTP_URL")

    def later(self, work: Callable[[], None]) -> None:
        """Run `work` in the background; what it raises is logged.

        Raises:
            Unavailable: when too much waits already.
        """
        if not self._room.acquire(blocking=False):
            raise Unavailable("too many mails wait to be sent; try again in a minute")

        def run() -> None:
            try:
                work()
            except Exception:
                log.exception("mail_failed")
            finally:
                self._room.release()

        self._threads.submit(run)

    def send(self, to: str, subject: str, text: str) -> None:
        """Send a mail now.

        Raises:
            OSError, smtplib.SMTPException: when the server can't be reached or refuses it.
        """
        if not self._url.scheme:
            log.warning("mail_on_console", to=to, subject=subject, text=text)
            return
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, subject
        message.set_content(text)
        with self._connected() as server:
            server.send_message(message)
        log.info("mail_sent")  # to whom and what is theirs alone

    def close(self) -> None:
        """Send what waits, then stop."""
        self._threads.shutdown()

    def _connected(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "", self._url.port or _PORTS[self._url.scheme]
        trust = ssl.create_default_context()
        if self._url.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=trust)
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=trust)
            elif self._url.username and not _is_loopback(host):
                server.close()
                raise smtplib.SMTPNotSupportedError(f"{host} offers no STARTTLS; the password is not sent")
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))
        return server


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
