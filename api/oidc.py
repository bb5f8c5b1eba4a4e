"""Sign-in by an OpenID Connect provider: OpenID Connect Core 1.0 with the code flow, PKCE and a nonce."""

import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import jwt
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from api.context import Context
from api.oauth import s256
from api.registration import add_account, read_email
from gridloom.errors import BadInput, Forbidden, NotFound, Unauthorized, Unavailable
from gridloom.settings import Settings
from storage.repositories import accounts
from storage.repositories.accounts import Account

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_TIMEOUT_S = 10
_CLOCK_SKEW_S = 60
_MOST_SUBJECT_CHARS = 255
_REFUSAL = "the provider's answer can't be trusted; sign in again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a browser must bring back from the provider."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        """Return a random one."""
        return cls(**{it: secrets.token_urlsafe(32) for it in ("state", "nonce", "verifier")})


class Provider:
    """The provider that the settings name."""

    def __init__(self, settings: Settings) -> None:
        """Raise `NotFound` when they name none."""
        if not settings.oidc_issuer:
            raise NotFound("this fabric has no OpenID provider (GRIDLOOM_OIDC_ISSUER)")
        self.issuer = settings.oidc_issuer
        self._id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value()

    def login_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Return where a browser signs in.

        Raises:
            Unavailable: when the provider can't be reached.
        """
        members = {
            "response_type": "code",
            "client_id": self._id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": s256(attempt.verifier),
            "code_challenge_method": "S256",
        }
        endpoint = str(_discovered(self.issuer)["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(members)}"

    def claims(self, code: str, attempt: Attempt, redirect_uri: str) -> dict[str, Any]:
        """Exchange a code and return the checked claims of the ID token.

        Raises:
            Unauthorized: when the code or the token is not good.
            Unavailable: when the provider can't be reached.
        """
        known = _discovered(self.issuer)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self._id,
            "code_verifier": attempt.verifier,
        }
        basic = "client_secret_basic" in known.get(
            "token_endpoint_auth_methods_supported", ["client_secret_basic"]
        )
        login = (quote(self._id, safe=""), quote(self._secret, safe="")) if self._secret and basic else None
        if self._secret and not basic:
            form["client_secret"] = self._secret
        answer = _called("POST", known["token_endpoint"], data=form, auth=login)
        keys = _called("GET", known["jwks_uri"])
        try:
            claims = self._checked(str(answer["id_token"]), keys)
        except (jwt.PyJWTError, KeyError):
            raise Unauthorized(_REFUSAL) from None
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise Unauthorized(_REFUSAL)
        return claims

    def _checked(self, id_token: str, keys: dict[str, Any]) -> dict[str, Any]:
        key_id = jwt.get_unverified_header(id_token).get("kid")
        candidates = [it for it in jwt.PyJWKSet.from_dict(keys).keys if key_id in (None, it.key_id)]
        if not candidates:
            raise jwt.InvalidKeyError("the token is signed with a key that the provider does not show")
        claims: dict[str, Any] = jwt.decode(
            id_token,
            candidates[0],
            algorithms=list(_ALGORITHMS),
            audience=self._id,
            issuer=self.issuer,
            leeway=_CLOCK_SKEW_S,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._id:
            raise jwt.InvalidAudienceError("the token was made for somebody else")
        return claims


def account_of(context: Context, issuer: str, claims: dict[str, Any]) -> Account:
    """Return the account of a provider's user: the linked one, the one with this verified e-mail, or a new one.

    Raises:
        Forbidden: when there is none and sign-up is not open, or it is disabled.
    """

    def find(connection: Connection) -> Account | None:
        account_id = _found(connection, issuer, claims) or _made(connection, context.settings, issuer, claims)
        return accounts.by_id(connection, account_id)

    try:
        account = context.writer.run(find)
    except IntegrityError:  # the same user came twice at once, and the other call made the account
        account = context.writer.run(find)
    if account is None or account.disabled_at is not None:
        raise Forbidden("this account is disabled")
    return account


def _found(connection: Connection, issuer: str, claims: dict[str, Any]) -> str | None:
    subject = str(claims["sub"])
    linked = accounts.by_subject(connection, issuer, subject)
    if linked is not None:
        return linked.id
    email = _verified_email(claims)
    same = accounts.by_email(connection, email) if email else None
    if same is None:
        return None
    if same.subject is not None:
        raise Forbidden("the account with this e-mail belongs to another user of a provider")
    accounts.prove_email(connection, same.id, keep_credentials=False)
    accounts.change(connection, same.id, {"provider": issuer, "subject": subject})
    return same.id


def _made(connection: Connection, settings: Settings, issuer: str, claims: dict[str, Any]) -> str:
    if not settings.open_signup:
        raise Forbidden("there is no account for you here; ask this fabric's operator for one")
    subject, email = str(claims["sub"]), _verified_email(claims)
    if len(subject) > _MOST_SUBJECT_CHARS:
        raise Forbidden("the provider's name for you is too long")
    columns = {
        "email": email,
        "email_verified": email is not None,
        "provider": issuer,
        "subject": subject,
        "first_name": str(claims.get("given_name", ""))[:100],
        "last_name": str(claims.get("family_name", ""))[:100],
    }
    return add_account(connection, settings, "", columns)


def _verified_email(claims: dict[str, Any]) -> str | None:
    if claims.get("email_verified") is not True:
        return None
    try:
        return read_email(str(claims.get("email", "")))
    except BadInput:
        return None


@lru_cache(maxsize=4)
def _discovered(issuer: str) -> dict[str, Any]:
    known = _called("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if known.get("issuer") != issuer:
        raise Unavailable(
            f"GRIDLOOM_OIDC_ISSUER is {issuer}, but the provider calls itself {known.get('issuer')}"
        )
    missing = [it for it in _ENDPOINTS if not isinstance(known.get(it), str)]
    if missing:
        raise Unavailable(f"the OpenID provider does not say what its {missing[0]} is")
    return known


def _called(method: str, url: str, **members: Any) -> dict[str, Any]:
    try:
        answer = httpx.request(method, url, timeout=_TIMEOUT_S, **members)
        if answer.status_code in (400, 401):
            raise Unauthorized(_REFUSAL)
        body = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise Unavailable(f"the OpenID provider can't be reached: {error}") from None
    if not isinstance(body, dict):
        raise Unavailable("the OpenID provider answers something else than JSON objects")
    return body
