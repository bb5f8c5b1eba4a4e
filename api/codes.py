"""One-time codes: six digits to a mailbox, which prove that a caller reads it."""

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Literal

from api.mail import Mailer
from storage.db import Database
from storage.group_commit import GroupCommitter
from storage.repositories import accounts, codes

LIFE = timedelta(minutes=10)
Purpose = Literal["login", "api_key", "password"]
_WHAT_FOR = {"login": "sign in", "api_key": "create an API key", "password": "set your password"}


class CodeDesk:
    """Sends codes and takes them back."""

    def __init__(self, database: Database, writer: GroupCommitter, mailer: Mailer, key: bytes) -> None:
        self._database = database
        self._writer = writer
        self._key = key
        self.mailer = mailer

    def request(self, email: str, purpose: Purpose) -> None:
        """Send a code to an account's e-mail, in the background.

        Neither the answer nor its time tells whether there is such an account.

        Raises:
            Unavailable: when this fabric sends no mail, or too much of it waits.
        """
        self.mailer.check()
        self.mailer.later(lambda: self._send(email, purpose))

    def take(self, email: str, purpose: Purpose, code: str) -> bool:
        """Try a code and tell whether it is right; a right one is used up."""
        hashed = self._hash(email, purpose, code.strip().replace(" ", ""))
        return self._writer.run(lambda connection: codes.take(connection, email, purpose, hashed))

    def _send(self, email: str, purpose: Purpose) -> None:
        with self._database.read() as connection:
            account = accounts.by_email(connection, email)
        if account is None or account.disabled_at is not None:
            return
        code = f"{secrets.randbelow(1_000_000):06}"
        hashed, until = self._hash(email, purpose, code), datetime.now(UTC) + LIFE
        if self._writer.run(lambda connection: codes.save(connection, email, purpose, hashed, until)):
            self.mailer.send(
                email,
                f"{code} is your Gridloom code",
                f"{code} is the code to {_WHAT_FOR[purpose]}. It is good for {LIFE.seconds // 60} minutes.\n"
                "If you did not ask for it, ignore this mail.\n",
            )

    def _hash(self, email: str, purpose: str, code: str) -> str:
        return hmac.digest(self._key, f"{purpose}\0{email}\0{code}".encode(), "sha256").hex()
