"""Answers of the authentication API."""

from datetime import datetime
from typing import Any

from pydantic import AliasChoices, Field

from gridloom.client.answers.base import Answer


class Token(Answer):
    """An access token and its lifetime; OAuth2 gives a refresh token beside it."""

    token: str = Field("", validation_alias=AliasChoices("token", "access_token"), repr=False)
    expires_in_s: int = Field(0, validation_alias=AliasChoices("expiresIn", "expires_in"))
    refresh_token: str = Field("", validation_alias=AliasChoices("refresh_token", "refreshToken"), repr=False)
    scope: str = ""


class DeviceCode(Answer):
    """What a user without a browser here types elsewhere, and how often to ask whether that is done."""

    device_code: str = Field("", validation_alias="device_code", repr=False)
    user_code: str = Field("", validation_alias="user_code")
    verification_uri: str = Field("", validation_alias="verification_uri")
    verification_uri_complete: str = Field("", validation_alias="verification_uri_complete")
    expires_in_s: int = Field(0, validation_alias="expires_in")
    interval_s: float = Field(5, validation_alias="interval")


class Skip(Answer):
    """Whether there is a session already, and where to go then."""

    skip: bool = False
    redirect_to: str = ""


class ApiKey(Answer):
    """A key's record; never the key itself."""

    id: str = ""
    name: str = ""
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    user_id: str = ""
    revoked: bool = False
    fingerprint: str = ""


class NewApiKey(Answer):
    """A key that was just made; `api_key` is readable only here."""

    api_key: str = Field("", repr=False)
    key: ApiKey = ApiKey()


class Secret(Answer):
    """A secret's record; never its private half."""

    id: str = ""
    secret_type: str = ""
    name: str = ""
    access_key: str = ""
    expires_at: datetime | None = None
    params: dict[str, str] = Field({})


class User(Answer):
    """An account."""

    id: str = ""
    email: str = ""
    user_name: str = ""
    display_name: str = ""
    first_name: str = ""
    last_name: str = ""
    role: str = ""
    created_at: datetime | None = None
    last_login: datetime | None = None
    email_verified: bool = False
    disabled: bool = False
    is_onboarded: bool = False
    contact_info: dict[str, Any] = Field({})
    settings: dict[str, Any] = Field({})


class NewUser(Answer):
    """An account that was just made, and its first API key if one was asked for."""

    user: User = User()
    api_key: str = Field("", repr=False)


class RotatedKind(Answer):
    """What a rotation did to one sort of sealed values."""

    rewrapped: int = 0
    unreadable: int = 0


class Rotation(Answer):
    """The master key that everything is sealed under now, and what was done, by sort."""

    master_id: str = ""
    kinds: dict[str, RotatedKind] = Field({})


class AuditEntry(Answer):
    """One call that changed something, or tried to."""

    id: int = 0
    at: datetime | None = None
    account_id: str = ""
    user_name: str = ""
    credential_id: str = ""
    address: str = ""
    request_id: str = ""
    method: str = ""
    route: str = ""
    resource: dict[str, Any] = Field({})
    status: int = 0
