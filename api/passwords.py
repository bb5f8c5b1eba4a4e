"""Passwords: argon2id with the library's defaults, and the same time for accounts that have none."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gridloom.errors import BadInput

LEAST_CHARS = 12
_hasher = PasswordHasher()
_room = threading.BoundedSemaphore(4)  #: a hash takes 64 MiB while it is made


def hashed_new(password: str, field: str = "password") -> str:
    """Return what is kept of a password that someone chose.

    Raises:
        BadInput: when it is too short; it names `field`.
    """
    if len(password) < LEAST_CHARS:
        raise BadInput(f"a password has at least {LEAST_CHARS} characters", field=field)
    return hashed(password)


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    with _room:
        return _hasher.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Tell whether this is the password; it takes as long when none is kept."""
    against = kept or _nobodys()
    with _room:
        try:
            return _hasher.verify(against, password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobodys() -> str:
    return hashed("the password of nobody")
