"""What OAuth 2 clients and the sign-in pages' forms send; names are those of RFC 6749, 7636 and 8628."""

from pydantic import BaseModel, ConfigDict, Field


class AuthorizeRequest(BaseModel):
    """An authorization request (RFC 6749, 4.1.1; RFC 7636, 4.3)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    response_type: str = Field(max_length=100)
    client_id: str = Field(max_length=100)
    redirect_uri: str = Field(max_length=2000)
    state: str = Field("", max_length=2000)
    code_challenge: str = Field("", max_length=200)
    code_challenge_method: str = Field("", max_length=20)
    scope: str = Field("", max_length=1000)


class SignInForm(BaseModel):
    """What the sign-in pages send besides their own members; `action` is the button."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    form_token: str = Field("", max_length=200)
    action: str = Field("", max_length=20)
    email: str = Field("", max_length=1000)
    password: str = Field("", max_length=1000)
    code: str = Field("", max_length=100)


class AuthorizeForm(AuthorizeRequest, SignInForm):
    """The authorization page's form."""


class DeviceForm(SignInForm):
    """The device page's form."""

    user_code: str = Field("", max_length=100)


class DeviceRequest(BaseModel):
    """A device asks for codes (RFC 8628, 3.1)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_id: str = Field("", max_length=100)
    scope: str = Field("", max_length=1000)


class DeviceResponse(BaseModel):
    """A device's codes (RFC 8628, 3.2); times are in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class TokenRequest(BaseModel):
    """A token request of any grant (RFC 6749, 4.1.3 and 6; RFC 8628, 3.4)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    grant_type: str = Field(max_length=100)
    client_id: str = Field("", max_length=100)
    code: str = Field("", max_length=200)
    redirect_uri: str = Field("", max_length=2000)
    code_verifier: str = Field("", max_length=200)
    refresh_token: str = Field("", max_length=200)
    device_code: str = Field("", max_length=200)


class OAuthErrorResponse(BaseModel):
    """A refusal (RFC 6749, 5.2); `error` is one of the words that it and RFC 8628 give."""

    error: str
    error_description: str = ""


class OAuthTokenResponse(BaseModel):
    """Tokens (RFC 6749, 5.1); `expires_in` is seconds."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: int
    refresh_token: str
    scope: str = ""
