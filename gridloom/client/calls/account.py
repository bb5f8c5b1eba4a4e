"""Tokens, sign-in, API keys, secrets and the user's profile."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from gridloom.access import CLIENT_ID
from gridloom.client.answers.account import ApiKey, DeviceCode, NewApiKey, Secret, Skip, Token, User
from gridloom.client.answers.base import Done
from gridloom.client.calls.paths import call, change, fetch, given, path_of, unwrap
from gridloom.client.steps import Call, Json, Sleep, Talk
from gridloom.errors import ClientError

Purpose = Literal["login", "api_key", "signup", "password"]
SecretType = Literal["aws", "s3", "gcp", "storj", "other"]

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_BY_S = 5.0


def access_token(api_key: str) -> Talk[Token]:
    """Exchange an API key for an access token."""
    return Token((yield _open("/v1/auth/access_token", {"apiKey": api_key.strip()})))


def sign_up(
    email: str,
    *,
    access_code: str = "",
    password: str = "",
    first_name: str = "",
    last_name: str = "",
    user_name: str = "",
    contact_info: dict[str, str] | None = None,
) -> Talk[User]:
    """Make an account."""
    names = given(firstName=first_name, lastName=last_name, userName=user_name, contactInfo=contact_info)
    body = {"email": email, "accessCode": access_code} | given(password=password) | names
    return unwrap(User, (yield _open("/v1/auth/signup", body)), "user")


def send_code(email: str, purpose: Purpose = "login") -> Talk[Done]:
    """Have a one-time code e-mailed."""
    return Done((yield _open("/v1/auth/otp", {"email": email, "purpose": purpose})))


def sign_in(email: str, *, password: str = "", code: str = "") -> Talk[Token]:
    """Come in with a password or an e-mailed code; `Access(url=…, access_token=…)` takes the token."""
    body = {"email": email} | given(password=password, otp=code)
    return Token((yield _open("/v1/auth/signin", body)))


def sign_out() -> Talk[Done]:
    """End the session: its token is no longer taken."""
    return (yield from change("POST", "/v1/auth/signout", {}))


def skip() -> Talk[Skip]:
    """Tell whether sign-in can be skipped."""
    return (yield from fetch(Skip, "/v1/auth/skip"))


def exchange_code(code: str, *, verifier: str, redirect_uri: str, client_id: str = CLIENT_ID) -> Talk[Token]:
    """Exchange an OAuth2 authorization code for tokens; `verifier` is the PKCE secret it was asked for with."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": redirect_uri,
        "client_id": client_id,
    }
    return Token((yield _oauth("token", form)))


def start_device_sign_in(client_id: str = CLIENT_ID) -> Talk[DeviceCode]:
    """Begin a sign-in that the user confirms in a browser elsewhere."""
    return DeviceCode((yield _oauth("device_authorization", {"client_id": client_id})))


def await_device_sign_in(
    device: DeviceCode, *, on_pause: Callable[[], None] | None = None, client_id: str = CLIENT_ID
) -> Talk[Token]:
    """Wait until the user has confirmed, and return the tokens.

    Raises:
        ClientError: when the user refuses or lets the code expire; `code` is OAuth2's word for it.
    """
    form = {"grant_type": _DEVICE_GRANT, "device_code": device.device_code, "client_id": client_id}
    interval_s = device.interval_s
    while True:
        if on_pause:
            on_pause()
        yield Sleep(seconds=interval_s)
        try:
            return Token((yield _oauth("token", form)))
        except ClientError as error:
            if error.code not in ("authorization_pending", "slow_down"):
                raise
            interval_s += _SLOWER_BY_S if error.code == "slow_down" else 0


def api_keys() -> Talk[list[ApiKey]]:
    """List the caller's API keys, revoked ones too."""
    answer = yield from call("GET", "/v1/auth/api_keys")
    return [ApiKey(it) for it in answer.get("apiKeys") or ()]


def create_api_key(
    name: str, *, code: str = "", duration_s: int | None = None, expires_at: datetime | None = None
) -> Talk[NewApiKey]:
    """Make an API key, confirmed by an e-mailed code; the answer is the only place that ever shows it."""
    body: Json = {"name": name, "otp": code} | given(expiresAt=expires_at and expires_at.isoformat())
    body |= {"duration": str(duration_s)} if duration_s is not None else {}
    return NewApiKey((yield from call("POST", "/v1/auth/api_keys", body=body)))


def revoke_api_key(key_id: str) -> Talk[Done]:
    """Revoke an API key."""
    return (yield from change("POST", path_of("/v1/auth/api_keys", key_id, "revoke")))


def secrets(secret_type: SecretType | None = None) -> Talk[list[Secret]]:
    """List the caller's secrets, without their private halves."""
    answer = yield from call("GET", "/v1/auth/secrets", query=given(secretType=secret_type))
    return [Secret(it) for it in answer.get("secrets") or ()]


def save_secret(
    secret_id: str,
    secret_key: str,
    *,
    secret_type: SecretType = "other",
    access_key: str = "",
    name: str = "",
    expires_at: datetime | None = None,
    params: dict[str, str] | None = None,
) -> Talk[Done]:
    """Store a secret or replace it."""
    expires = expires_at and expires_at.isoformat()
    more = given(accessKey=access_key, name=name, expiresAt=expires, params=params)
    record = {"id": secret_id, "secretType": secret_type} | more
    return (yield from change("POST", "/v1/auth/secrets", {"secret": record, "secretKey": secret_key}))


def delete_secret(secret_id: str, secret_type: SecretType = "other") -> Talk[Done]:
    """Delete a secret."""
    return (yield from change("DELETE", path_of("/v1/auth/secrets", secret_type, secret_id)))


def user() -> Talk[User]:
    """Return the caller's profile."""
    return (yield from fetch(User, "/v1/auth/user", member="user"))


def update_user(
    *,
    first_name: str | None = None,
    last_name: str | None = None,
    user_name: str | None = None,
    contact_info: dict[str, str] | None = None,
    onboarding_info: list[dict[str, Any]] | None = None,
) -> Talk[User]:
    """Change the members of the profile that are given."""
    members: Json = {
        "firstName": first_name,
        "lastName": last_name,
        "userName": user_name,
        "contactInfo": contact_info,
        "onboardingInfo": onboarding_info,
    }
    body = {name: value for name, value in members.items() if value is not None}
    return unwrap(User, (yield from call("PATCH", "/v1/auth/user", body=body)), "user")


def set_password(password: str, *, current_password: str = "", code: str = "") -> Talk[User]:
    """Give the caller a password, confirmed by the one that holds or an e-mailed code; it ends other sessions."""
    body = {"password": password} | given(currentPassword=current_password, otp=code)
    return unwrap(User, (yield from call("PATCH", "/v1/auth/user", body=body)), "user")


def _open(path: str, body: Json) -> Call:
    return Call(method="POST", path=path, body=body, signed=False)


def _oauth(endpoint: str, form: dict[str, str]) -> Call:
    return Call(method="POST", path=f"/v1/auth/oauth2/{endpoint}", form=form, signed=False)
