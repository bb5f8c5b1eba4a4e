"""Answers of the authentication API."""

from gridloom.client.answers.base import Answer, Member, flag, free, mapping, moment, text, whole


class Token(Answer):
    """An access token and its lifetime; OAuth2 gives a refresh token beside it."""

    token = text("", "token", "access_token")
    expires_in_s = whole("expiresIn", "expires_in")
    refresh_token = text("", "refresh_token", "refreshToken")
    scope = text()


class DeviceCode(Answer):
    """What a user without a browser here types elsewhere, and how often to ask whether that is done."""

    device_code = text("", "device_code")
    user_code = text("", "user_code")
    verification_uri = text("", "verification_uri")
    verification_uri_complete = text("", "verification_uri_complete")
    expires_in_s = whole("expires_in")
    interval_s = Member(float, 5.0, "interval")


class Skip(Answer):
    """Whether there is a session already, and where to go then."""

    skip = flag()
    redirect_to = text()


class ApiKey(Answer):
    """A key's record; never the key itself."""

    id = text()
    name = text()
    issued_at = moment()
    expires_at = moment()
    user_id = text()
    revoked = flag()
    fingerprint = text()


class NewApiKey(Answer):
    """A key that was just made; `api_key` is readable only here."""

    api_key = text()
    key = Member(ApiKey, ApiKey({}))


class Secret(Answer):
    """A secret's record; never its private half."""

    id = text()
    secret_type = text()
    name = text()
    access_key = text()
    expires_at = moment()
    params = mapping(str)


class User(Answer):
    """An account."""

    id = text()
    email = text()
    user_name = text()
    display_name = text()
    first_name = text()
    last_name = text()
    role = text()
    created_at = moment()
    last_login = moment()
    email_verified = flag()
    disabled = flag()
    is_onboarded = flag()
    contact_info = free()
    settings = free()


class NewUser(Answer):
    """An account that was just made, and its first API key if one was asked for."""

    user = Member(User, User({}))
    api_key = text()


class RotatedKind(Answer):
    """What a rotation did to one sort of sealed values."""

    rewrapped = whole()
    unreadable = whole()


class Rotation(Answer):
    """The master key that everything is sealed under now, and what was done, by sort."""

    master_id = text()
    kinds = mapping(RotatedKind)


class AuditEntry(Answer):
    """One call that changed something, or tried to."""

    id = whole()
    at = moment()
    account_id = text()
    user_name = text()
    credential_id = text()
    address = text()
    request_id = text()
    method = text()
    route = text()
    resource = free()
    status = whole()
