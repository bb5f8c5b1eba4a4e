"""How an account appears to its user and to admins."""

from api.shapes.accounts import ContactInfo, OnboardingStep, PublishedRole, User
from api.tokens import ADMIN
from storage.repositories.accounts import Account


def user_of(account: Account) -> User:
    """Return what is shown of an account."""
    role: PublishedRole = "ROLE_ADMIN" if account.role == ADMIN else "ROLE_USER"
    full_name = f"{account.first_name} {account.last_name}".strip()
    return User(
        id=account.id,
        created_at=account.created_at,
        last_login=account.last_login_at,
        display_name=full_name or account.user_name,
        email=account.email or "",
        settings=account.settings,
        provider_id=account.provider,
        email_verified=account.email_verified,
        custom_claims={"role": account.role},
        role=role,
        first_name=account.first_name,
        last_name=account.last_name,
        contact_info=ContactInfo.model_validate(account.contact_info),
        disabled=account.disabled_at is not None,
        is_onboarded=account.is_onboarded,
        onboarding_info=[OnboardingStep.model_validate(it) for it in account.onboarding_info],
        user_name=account.user_name,
    )
