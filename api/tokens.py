"""Access tokens: signed with a key derived from the installation's secret, checked against what they came from."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from gridloom.errors import Unauthorized
from gridloom.ids import new_uuid
from storage.db import Database
from storage.repositories import credentials

LIFETIME_S = 3600
ADMIN = "admin"
_REMEMBER_S = 5.0  #: how long it may go unnoticed that another process revoked, disabled or signed out
_REMEMBERED_TOKENS = 10_000
_ALGORITHM = "HS256"
_REFUSAL = "a valid access token is needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call, and by which token."""

    account_id: str
    user_name: str
    role: str  #: user, admin
    credential_id: str  #: of the API key or the session
    session_id: str  #: empty: the token came from an API key
    token_id: str
    expires_at: datetime


def derive_key(secret: str, label: str) -> bytes:
    """Return the 256-bit key for one purpose: HKDF-Expand of RFC 5869 with the label as info."""
    return hmac.digest(secret.encode(), label.encode() + b"\x01", "sha256")


def hash_key(api_key: str) -> str:
    """Return the SHA-256 of a token of 288 random bits, hex; nothing slower is needed."""
    return hashlib.sha256(api_key.encode()).hexdigest()


class TokenGate:
    """Gives access tokens and tells who sent one; a token that it knows costs no query for a few seconds."""

    def __init__(self, database: Database, secret: str) -> None:
        self.database = database
        self._key = derive_key(secret, "gridloom access token")
        self._known: dict[str, tuple[float, Caller]] = {}

    def exchange(self, api_key: str) -> str:
        """Return an access token of an API key.

        Raises:
            Unauthorized: when the key is unknown, expired or revoked, or its account disabled.
        """
        key_hash = hash_key(api_key.strip())
        key = self.database.look(lambda connection: credentials.key_by_hash(connection, key_hash))
        if key is None or not key.usable(datetime.now(UTC)):
            raise Unauthorized("the API key is unknown, expired or revoked")
        return self._issue({"sub": key.account_id, "kid": key.id})

    def issue(self, account_id: str, session_id: str) -> str:
        """Return an access token of a session; like every one it lives `LIFETIME_S` seconds."""
        return self._issue({"sub": account_id, "sid": session_id})

    def remembered(self, authorization: str) -> Caller | None:
        """Return who sent this header when that is known without the database."""
        until, caller = self._known.get(_token_of(authorization), (0.0, None))
        return caller if time.monotonic() < until else None

    def caller(self, authorization: str) -> Caller:
        """Return who sent this Authorization header, `<token>` or `Bearer <token>`.

        Raises:
            Unauthorized: when the token is missing, broken, expired or signed out, or its origin is no longer good.
        """
        caller = self.remembered(authorization)
        if caller is not None:
            return caller
        token, known = _token_of(authorization), self._known
        caller = self._check(self._claims(token))
        if len(known) >= _REMEMBERED_TOKENS:
            known.clear()
        left_s = (caller.expires_at - datetime.now(UTC)).total_seconds()
        # After `forget` meanwhile, this writes into the dictionary that nobody reads any more.
        known[token] = (time.monotonic() + min(_REMEMBER_S, left_s), caller)
        return caller

    def forget(self) -> None:
        """Ask the database anew for every token: something was revoked, disabled or signed out."""
        self._known = {}

    def _issue(self, origin: dict[str, str]) -> str:
        now = int(time.time())
        claims = origin | {"iat": now, "exp": now + LIFETIME_S, "jti": new_uuid()}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], options={"require": ["exp", "sub", "jti"]}
            )
        except jwt.InvalidTokenError:
            raise Unauthorized(_REFUSAL) from None

    def _check(self, claims: dict[str, Any]) -> Caller:
        key_id, session_id = str(claims.get("kid", "")), str(claims.get("sid", ""))
        token_id = claims["jti"]
        found = self.database.look(
            lambda connection: credentials.of_token(
                connection, token_id, key_id=key_id, session_id=session_id
            )
        )
        if found is None or found.account_id != claims["sub"] or not found.usable(datetime.now(UTC)):
            raise Unauthorized(_REFUSAL)
        return Caller(
            account_id=found.account_id,
            user_name=found.user_name,
            role=found.role,
            credential_id=found.id,
            session_id=session_id,
            token_id=token_id,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )


def _token_of(authorization: str) -> str:
    scheme, _, rest = authorization.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else authorization.strip()
