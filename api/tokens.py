"""Access tokens: signed with a key derived from the installation's secret, checked against the API key they came from."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from gridloom.errors import Unauthorized
from gridloom.ids import new_uuid
from storage.db import Database
from storage.repositories import accounts

LIFETIME_S = 3600
_REMEMBER_S = 5.0  #: how long a revoked key may go unnoticed
_REMEMBERED_KEYS = 10_000
_ALGORITHM = "HS256"
_REFUSAL = "a valid access token is needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call."""

    account_id: str
    key_id: str
    user_name: str


def derive_key(secret: str, label: str) -> bytes:
    """Return the 256-bit key for one purpose: HKDF-Expand of RFC 5869 with the label as info."""
    return hmac.digest(secret.encode(), label.encode() + b"\x01", "sha256")


def hash_key(api_key: str) -> str:
    """Return the SHA-256 of an API key, hex; keys are 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(api_key.encode()).hexdigest()


class TokenGate:
    """Exchanges API keys for access tokens and tells who sent one."""

    def __init__(self, database: Database, secret: str) -> None:
        self._database = database
        self._key = derive_key(secret, "gridloom access token")
        self._known: dict[str, tuple[float, Caller | None]] = {}

    def exchange(self, api_key: str) -> str:
        """Return an access token that lives `LIFETIME_S` seconds.

        Raises:
            Unauthorized: when the key is unknown, expired or revoked.
        """
        with self._database.read() as connection:
            key = accounts.key_by_hash(connection, hash_key(api_key.strip()))
        if key is None or not key.usable(datetime.now(UTC)):
            raise Unauthorized("the API key is unknown, expired or revoked")
        now = int(time.time())
        claims = {
            "sub": key.account_id,
            "kid": key.id,
            "iat": now,
            "exp": now + LIFETIME_S,
            "jti": new_uuid(),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def caller(self, authorization: str) -> Caller:
        """Return who sent this Authorization header, `<token>` or `Bearer <token>`.

        Raises:
            Unauthorized: when the token is missing, broken or expired, or its API key is no longer good.
        """
        scheme, _, rest = authorization.strip().partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else authorization.strip()
        try:
            claims = jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], options={"require": ["exp", "sub", "kid"]}
            )
        except jwt.InvalidTokenError:
            raise Unauthorized(_REFUSAL) from None
        caller = self._caller_of_key(str(claims["kid"]))
        if caller is None or caller.account_id != claims["sub"]:
            raise Unauthorized(_REFUSAL)
        return caller

    def _caller_of_key(self, key_id: str) -> Caller | None:
        now = time.monotonic()
        until, caller = self._known.get(key_id, (0.0, None))
        if now < until:
            return caller
        with self._database.read() as connection:
            key = accounts.key_by_id(connection, key_id)
        caller = None
        if key is not None and key.usable(datetime.now(UTC)):
            caller = Caller(account_id=key.account_id, key_id=key.id, user_name=key.user_name)
        if len(self._known) >= _REMEMBERED_KEYS:
            self._known.clear()
        self._known[key_id] = (now + _REMEMBER_S, caller)
        return caller
