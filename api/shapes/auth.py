"""Shapes of /v1/auth but secrets and profiles: tokens, keys, codes, sign-in."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.shapes.accounts import ContactInfo
from api.shapes.base import Int64Text, Shape

_LONGEST = 1000


class AccessTokenRequest(Shape):
    """An API key to exchange."""

    api_key: str


class AccessTokenResponse(Shape):
    """An access token for the Authorization header; `expires_in` is seconds."""

    token: str
    expires_in: Int64Text
    scope: str = ""


class SignOutRequest(Shape):
    """An empty object."""


class SkipResponse(Shape):
    """Whether sign-in can be skipped, and where a browser goes then."""

    skip: bool
    redirect_to: str


class ApiKey(Shape):
    """What is shown of an API key; the fingerprint tells keys apart and reveals nothing."""

    id: str
    name: str
    issued_at: datetime
    expires_at: datetime | None
    user_id: str
    revoked: bool
    fingerprint: str


class ApiKeyListResponse(Shape):
    """The caller's API keys."""

    api_keys: list[ApiKey]


class CreateApiKeyRequest(Shape):
    """A key's name and either its `duration` in seconds or its end; `otp` is the e-mailed code."""

    name: str = Field(min_length=1, max_length=200)
    duration: Int64Text | None = None
    expires_at: datetime | None = None
    otp: str = Field("", max_length=_LONGEST)


class CreateApiKeyResponse(Shape):
    """The new key itself, which no other answer holds, and what is listed of it."""

    api_key: str
    key: ApiKey


class OtpRequest(Shape):
    """Where to send a code and what for; with a token the e-mail may be left out."""

    email: str = Field("", max_length=_LONGEST)
    purpose: Literal["", "login", "api_key", "password", "signup"] = ""


class SignUpRequest(Shape):
    """A new account; user name and password may be left out."""

    email: str = Field(max_length=_LONGEST)
    access_code: str = Field("", max_length=_LONGEST)
    password: str = Field("", max_length=_LONGEST)
    user_name: str = Field("", max_length=_LONGEST)
    first_name: str = Field("", max_length=100)
    last_name: str = Field("", max_length=100)
    contact_info: ContactInfo = ContactInfo()


class SignInRequest(Shape):
    """An e-mail with a password, an e-mailed code, or both."""

    email: str = Field(max_length=_LONGEST)
    password: str = Field("", max_length=_LONGEST)
    otp: str = Field("", max_length=_LONGEST)
