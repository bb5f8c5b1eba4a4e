"""Signed links: who holds one may make one call on one object until it expires, with no other credential."""

from datetime import UTC, datetime
from enum import StrEnum

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from gridloom.errors import Forbidden, SetupFailed, Unauthorized

MIN_SECRET_BYTES = 32
_ALGORITHM = "HS256"
_AUDIENCE = "gridloom-link"  # keeps access tokens signed with the same secret from passing as links


class LinkKind(StrEnum):
    """What a link leads to."""

    BLOB = "blob"  #: one object of the store
    UPLOAD = "upload"  #: where a job's source file is put
    CACHE = "cache"  #: where a file of a cache is put
    ARCHIVE = "archive"  #: a component's archive, or all output of a job packed on the way


class LinkClaims(BaseModel):
    """What a link allows: `path` is an object key, or the path of an output or of a cache's file in `scope`; `name` is
    the file name offered to browsers, `account` who the link to a cache was made for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: LinkKind
    job: str = ""
    scope: str = ""
    path: str = ""
    name: str = ""
    account: str = ""


class LinkSigner:
    """Signs and verifies links with a secret of at least 32 bytes that every replica shares."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise SetupFailed(f"the secret that signs links needs at least {MIN_SECRET_BYTES} bytes")
        self._secret = secret

    def sign(self, method: str, claims: LinkClaims, expires_at: datetime) -> str:
        """Return a token, safe in a URL, for `method` calls (GET covers HEAD) until `expires_at`."""
        content = {
            **claims.model_dump(mode="json", exclude_defaults=True),
            "method": method,
            "exp": int(expires_at.timestamp()),
            "aud": _AUDIENCE,
        }
        return jwt.encode(content, self._secret, algorithm=_ALGORITHM)

    def verify(self, token: str, method: str, now: datetime) -> LinkClaims:
        """Return what the token allows.

        Raises:
            Unauthorized: when it was not signed here.
            Forbidden: when it has expired or is for another method.
        """
        try:
            content = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                # The expiry is compared below with the caller's clock.
                options={"require": ["exp", "method", "kind"], "verify_exp": False},
            )
            expires_at = datetime.fromtimestamp(content.pop("exp"), UTC)
            bound_to = content.pop("method")
            del content["aud"]
            claims = LinkClaims(**content)
        except (jwt.InvalidTokenError, ValidationError) as error:
            raise Unauthorized("the link is damaged or was not made here") from error
        if now >= expires_at:
            raise Forbidden(f"the link expired at {expires_at:%Y-%m-%d %H:%M:%S} UTC")
        if method != bound_to and (method, bound_to) != ("HEAD", "GET"):
            raise Forbidden(f"the link is for {bound_to}, not for {method}")
        return claims
