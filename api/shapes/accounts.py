"""Shapes of accounts: the caller's profile, and what admins see and change."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from api.shapes.base import PaginatedResponse, Shape

Role = Literal["user", "admin"]
PublishedRole = Literal["ROLE_NONE", "ROLE_USER", "ROLE_ADMIN"]


class ContactInfo(Shape):
    """How to reach a user besides e-mail."""

    company: str = Field("", max_length=200)
    job_title: str = Field("", max_length=200)
    phone_number: str = Field("", max_length=50)
    address1: str = Field("", max_length=200)
    address2: str = Field("", max_length=200)
    city: str = Field("", max_length=100)
    state: str = Field("", max_length=100)
    zip: str = Field("", max_length=20)
    country: str = Field("", max_length=100)


class OnboardingStep(Shape):
    """An answer given at the first sign-in."""

    step: int = Field(0, ge=0, le=1000)
    answer: dict[str, Any] = Field({})


class User(Shape):
    """An account."""

    id: str
    created_at: datetime
    last_login: datetime | None
    display_name: str
    email: str
    settings: dict[str, Any]
    photo_url: str = ""
    provider_id: str
    email_verified: bool
    custom_claims: dict[str, Any]
    role: PublishedRole
    first_name: str
    last_name: str
    contact_info: ContactInfo
    disabled: bool
    is_onboarded: bool
    onboarding_info: list[OnboardingStep]
    user_name: str
    phone_number: str = ""


class UserResponse(Shape):
    """One account."""

    user: User


class UpdateUserRequest(Shape):
    """What a user may change; what is left out stays.

    A new `password` needs the `currentPassword`, or an `otp`: a code that POST /otp with purpose `password` sends.
    """

    contact_info: ContactInfo | None = None
    first_name: str | None = Field(None, max_length=100)
    last_name: str | None = Field(None, max_length=100)
    user_name: str | None = Field(None, max_length=1000)
    onboarding_info: list[OnboardingStep] | None = Field(None, max_length=50)
    password: str | None = Field(None, max_length=1000)
    current_password: str = Field("", max_length=1000)
    otp: str = Field("", max_length=1000)


class UserNameRequest(Shape):
    """A user name."""

    user_name: str = Field(max_length=1000)


class CreateUserRequest(Shape):
    """An account that an admin makes; with `issue_key` it gets a first API key."""

    user_name: str = Field("", max_length=1000)
    email: str = Field("", max_length=1000)
    role: Role = "user"
    password: str = Field("", max_length=1000)
    issue_key: bool = False


class CreateUserResponse(Shape):
    """The new account, and its first API key if one was asked for; no other answer holds the key."""

    user: User
    api_key: str = ""


class ChangeUserRequest(Shape):
    """What an admin may change of an account; what is left out stays."""

    role: Role | None = None
    disabled: bool | None = None


class UserListResponse(Shape):
    """A page of accounts."""

    users: list[User]
    pagination: PaginatedResponse


class IssueKeyRequest(Shape):
    """The name of a key that an admin makes for an account."""

    name: str = Field("by an admin", min_length=1, max_length=200)
