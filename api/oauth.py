"""OAuth 2 for public clients: authorization codes with PKCE, refresh tokens that rotate, and the device flow.

RFC 6749 and 7636, the loopback redirects of RFC 8252, and RFC 8628.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from api.context import Context
from api.shapes.oauth import AuthorizeRequest, TokenRequest
from api.tokens import hash_key
from gridloom.ids import is_uuid, new_token
from storage.columns import AnyRow
from storage.repositories import oauth_codes, sessions
from storage.repositories.oauth_codes import CODE, DEVICE, NewCode

CLIENTS = {"gridloom-cli": "the Gridloom command line", "bytenite-cli": "the ByteNite command line"}
CODE_LIFE = timedelta(minutes=2)
DEVICE_LIFE = timedelta(minutes=10)
SESSION_LIFE = timedelta(days=90)
POLL_INTERVAL_S = 5
_POLL_PAUSE = timedelta(seconds=POLL_INTERVAL_S - 1)  #: a second for the network's jitter
_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  #: no vowels, so no words (RFC 8628, 6.1)
_REDIRECT = re.compile(r"(http://(?:127\.0\.0\.1|localhost):[0-9]{1,5})(?:/[A-Za-z0-9._~/-]*)?")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class OAuthError(Exception):
    """Raised, or handed out of a transaction, when a request fails in one of the ways that the RFCs name."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A session that a client was given, with the token that prolongs it."""

    account_id: str
    session_id: str
    refresh_token: str


def s256(verifier: str) -> str:
    """Return the challenge of a PKCE verifier (RFC 7636, 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def redirect_origin(request: AuthorizeRequest) -> str:
    """Return the origin that an authorization request leads back to.

    Raises:
        OAuthError: when client or redirect are not to be trusted; the browser must not be sent there.
    """
    if request.client_id not in CLIENTS:
        raise OAuthError("invalid_client", "client_id is not one of this fabric's clients")
    match = _REDIRECT.fullmatch(request.redirect_uri)
    if not match:
        raise OAuthError("invalid_request", "redirect_uri must be http://127.0.0.1:PORT/… on this computer")
    return match[1]


def check_request(request: AuthorizeRequest) -> None:
    """Raise `OAuthError` when an authorization request whose redirect is good is not; the client is told."""
    if request.response_type != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    if request.code_challenge_method != "S256" or not _CHALLENGE.fullmatch(request.code_challenge):
        raise OAuthError("invalid_request", "PKCE is needed: code_challenge with code_challenge_method S256")


def grant_code(context: Context, request: AuthorizeRequest, account_id: str) -> str:
    """Return an authorization code for a checked request."""
    code = new_token("glc")
    new = NewCode(
        code_hash=hash_key(code),
        kind=CODE,
        client_id=request.client_id,
        expires_at=datetime.now(UTC) + CODE_LIFE,
        account_id=account_id,
        redirect_uri=request.redirect_uri,
        challenge=request.code_challenge,
    )
    context.writer.run(lambda connection: oauth_codes.add(connection, new))
    return code


def start_device(context: Context, client_id: str) -> tuple[str, str]:
    """Return a new device code and the code that its user types, as XXXX-XXXX.

    Raises:
        OAuthError: when there is no such client.
    """
    _check_client(client_id)
    device_code = new_token("gld")
    letters = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(8))
    new = NewCode(
        code_hash=hash_key(device_code),
        kind=DEVICE,
        client_id=client_id,
        expires_at=datetime.now(UTC) + DEVICE_LIFE,
        user_code=letters,
    )
    context.writer.run(lambda connection: oauth_codes.add(connection, new))
    return device_code, f"{letters[:4]}-{letters[4:]}"


def read_user_code(text: str) -> str:
    """Return a typed user code as it is kept; case, spaces and dashes make no difference."""
    return re.sub(r"[^A-Z]", "", text.upper())[:8]


def redeem(context: Context, request: TokenRequest) -> Grant:
    """Return the session that a token request is good for.

    Raises:
        OAuthError: when it is not good, or not yet.
    """
    grants = {
        "authorization_code": _by_code,
        "refresh_token": _by_refresh_token,
        "urn:ietf:params:oauth:grant-type:device_code": _by_device_code,
    }
    grant = grants.get(request.grant_type)
    if grant is None:
        raise OAuthError("unsupported_grant_type", f"grant_type must be one of {', '.join(grants)}")
    _check_client(request.client_id)
    # What fails may have to be committed all the same: a poll's time, the end of a stolen session.
    outcome = context.writer.run(lambda connection: grant(connection, request))
    if isinstance(outcome, OAuthError):
        raise outcome
    return outcome


def _by_code(connection: Connection, request: TokenRequest) -> Grant | OAuthError:
    refusal = OAuthError("invalid_grant", "the code is unknown, used or expired, or not of this request")
    row = oauth_codes.find(connection, CODE, request.client_id, hash_key(request.code))
    if row is None:
        return refusal
    if row.session_id:  # it comes twice: one of the two stole it (RFC 6749, 4.1.2)
        sessions.revoke(connection, row.session_id)
        return refusal
    good = (
        row.expires_at > datetime.now(UTC)
        and row.redirect_uri == request.redirect_uri
        and _VERIFIER.fullmatch(request.code_verifier)
        and hmac.compare_digest(s256(request.code_verifier), row.challenge)
    )
    return (_grant(connection, row) if good else None) or refusal


def _by_device_code(connection: Connection, request: TokenRequest) -> Grant | OAuthError:
    refusal = OAuthError("invalid_grant", "the device code is unknown or used")
    row = oauth_codes.find(connection, DEVICE, request.client_id, hash_key(request.device_code))
    if row is None:
        return refusal
    now = datetime.now(UTC)
    if row.expires_at <= now:
        return OAuthError("expired_token", "nobody confirmed the code in time; ask for a new one")
    if row.denied:
        return OAuthError("access_denied", "the sign-in was refused")
    if row.account_id is not None:
        return _grant(connection, row) or refusal
    oauth_codes.polled(connection, row.code_hash)
    if row.polled_at is not None and now - row.polled_at < _POLL_PAUSE:
        return OAuthError("slow_down", f"ask every {POLL_INTERVAL_S} seconds")
    return OAuthError("authorization_pending", "the code is not confirmed yet")


def _by_refresh_token(connection: Connection, request: TokenRequest) -> Grant | OAuthError:
    session_id, _, secret = request.refresh_token.partition(".")
    refusal = OAuthError("invalid_grant", "the refresh token is unknown, used or expired")
    if not is_uuid(session_id):
        return refusal
    row = sessions.by_secret(connection, request.client_id, hash_key(secret))
    fresh, until = new_token("glr"), datetime.now(UTC) + SESSION_LIFE
    if row is None or row.id != session_id:
        # A token that was good once comes twice: one of the two stole it, and nobody knows which.
        sessions.revoke(connection, session_id, client=request.client_id)
        return refusal
    if not sessions.rotate(connection, session_id, hash_key(secret), hash_key(fresh), until):
        return refusal
    return Grant(account_id=row.account_id, session_id=session_id, refresh_token=f"{session_id}.{fresh}")


def _grant(connection: Connection, code: AnyRow) -> Grant | None:
    if not oauth_codes.use(connection, code.code_hash):
        return None
    secret = new_token("glr")
    session_id = sessions.create(
        connection,
        code.account_id,
        client=code.client_id,
        secret_hash=hash_key(secret),
        expires_at=datetime.now(UTC) + SESSION_LIFE,
    )
    oauth_codes.name_session(connection, code.code_hash, session_id)
    return Grant(account_id=code.account_id, session_id=session_id, refresh_token=f"{session_id}.{secret}")


def _check_client(client_id: str) -> None:
    if client_id not in CLIENTS:
        raise OAuthError("invalid_client", "client_id is not one of this fabric's clients")
